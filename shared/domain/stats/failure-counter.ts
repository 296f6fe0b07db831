import { addToGroups, groupOf, MAX_GROUPS, newest, REST, type Failure, type FailureCounts, type FailureNext } from './failure-groups.js';

/** The counts of a group while they grow. */
interface Growing {
  readonly byNext: Record<FailureNext, number>;
  dead: number;
  readonly firstAt: number;
  lastAt: number;
  samples: readonly string[];
}

/** Counts the failed sends of this process by group, until failure-writer.ts takes the counts. */
export class FailureCounter {
  #groups = new Map<string, Growing>();

  count({ next, phase, taskId, at, ...reason }: Failure): void {
    const group = groupOf(reason);
    const name = this.#groups.has(group) || this.#groups.size < MAX_GROUPS ? group : REST;
    let counts = this.#groups.get(name);
    if (counts === undefined) this.#groups.set(name, (counts = { byNext: { retry: 0, dead_letter: 0, park: 0 }, dead: 0, firstAt: at, lastAt: at, samples: [] }));
    counts.byNext[next] += 1;
    if (phase === 'dead') counts.dead += 1;
    counts.lastAt = Math.max(counts.lastAt, at);
    counts.samples = newest([taskId, ...counts.samples]);
  }

  /** What has been counted since the last call. */
  take(): ReadonlyMap<string, FailureCounts> {
    const taken = this.#groups;
    this.#groups = new Map();
    return taken;
  }

  /** Counts again what could not be written. */
  giveBack(groups: ReadonlyMap<string, FailureCounts>): void {
    const all = new Map<string, FailureCounts>(groups);
    for (const [group, counts] of this.#groups) addToGroups(all, group, counts, MAX_GROUPS);
    this.#groups = new Map([...all].map(([group, counts]) => [group, { ...counts, byNext: { ...counts.byNext } }]));
  }
}
