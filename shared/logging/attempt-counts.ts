import type { Outcome } from '../domain/task/outcome.js';
import type { AttemptLine } from './log-line.js';

/** Destinations that a summary names. */
const MOST_NAMED = 5;

interface Counts {
  delivered: number;
  deadLettered: number;
  failed: number;
  putBack: number;
}

/** No attempt was used: a process ends, Redis is in trouble, or the circuit of the destination has opened meanwhile. */
const PUT_BACK: ReadonlySet<string> = new Set<Outcome['kind']>(['release', 'defer', 'leave']);

/** Counts attempts by destination, for a line that stands for all of them. */
export class AttemptCounts {
  #byDestination = new Map<string, Counts>();

  add({ destination, outcome }: AttemptLine): void {
    let counts = this.#byDestination.get(destination);
    if (counts === undefined) this.#byDestination.set(destination, (counts = { delivered: 0, deadLettered: 0, failed: 0, putBack: 0 }));
    if (outcome === 'delivered') counts.delivered += 1;
    else if (outcome === 'dead_lettered') counts.deadLettered += 1;
    else if (PUT_BACK.has(outcome)) counts.putBack += 1;
    else counts.failed += 1;
  }

  /** `21 more attempts: https://a.example/x 20 delivered, 1 failed`, the busiest destinations first. The counts begin anew. */
  take(): string {
    const all = [...this.#byDestination].map(([destination, counts]) => ({ destination, counts, sum: sumOf(counts) }));
    this.#byDestination = new Map();
    all.sort((a, b) => b.sum - a.sum);
    const named = all.slice(0, MOST_NAMED).map(({ destination, counts }) => `${destination} ${print(counts)}`);
    const others = all.slice(MOST_NAMED);
    if (others.length > 0) named.push(`${others.length} other destinations ${print(total(others.map(({ counts }) => counts)))}`);
    const attempts = all.reduce((sum, each) => sum + each.sum, 0);
    return `${attempts} more attempt${attempts === 1 ? '' : 's'}: ${named.join('; ')}`;
  }
}

function sumOf({ delivered, deadLettered, failed, putBack }: Counts): number {
  return delivered + deadLettered + failed + putBack;
}

function total(all: readonly Counts[]): Counts {
  const sum: Counts = { delivered: 0, deadLettered: 0, failed: 0, putBack: 0 };
  for (const { delivered, deadLettered, failed, putBack } of all) {
    sum.delivered += delivered;
    sum.deadLettered += deadLettered;
    sum.failed += failed;
    sum.putBack += putBack;
  }
  return sum;
}

function print({ delivered, deadLettered, failed, putBack }: Counts): string {
  const parts = [
    ...(delivered > 0 ? [`${delivered} delivered`] : []),
    ...(deadLettered > 0 ? [`${deadLettered} dead-lettered`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(putBack > 0 ? [`${putBack} put back`] : []),
  ];
  return parts.join(', ');
}
