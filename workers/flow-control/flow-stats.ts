import { isOfOthers, type Flow } from '../../shared/domain/destinations/flow.js';
import type { FlowSample } from '../../shared/domain/flow/flow-report.js';
import { LatencyHistogram } from '../../shared/domain/flow/latency-histogram.js';
import { RecentAnswers } from '../../shared/domain/flow/recent-answers.js';
import { FirstSends } from './first-sends.js';

/** Results are forgotten after one to two of these spans, ms. */
const SPAN_MS = 30_000;
/** Destinations that are remembered; a row costs some kilobytes. */
const MAX_ROWS = 2_000;
/** Rows of a report: the destinations with the most sends. */
const REPORTED_ROWS = 200;

interface Span {
  since: number;
  started: number;
  delivered: number;
  failed: number;
  latency: LatencyHistogram;
}

/** The sends of this process to one destination. */
export class FlowRow {
  inFlight = 0;
  readonly answers = new RecentAnswers();
  now: Span;
  before: Span | undefined;

  constructor(
    readonly flow: Flow,
    at: number,
  ) {
    this.now = emptySpan(at);
  }
}

/** Counts what this process sends where: for GET /destinations, and for the rate of a destination that refuses too much. */
export class FlowStats {
  /** One row for each pair of key and host: a flow_key may go to several origins, and each of them has a count of its own. */
  readonly #rows = new Map<string, FlowRow>();
  readonly #firstSends = new FirstSends<FlowRow>();

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number) {}

  /** Destinations remembered; bounded. */
  get remembered(): number {
    return this.#rows.size;
  }

  started(flow: Flow): FlowRow {
    const row = this.#row(flow);
    row.inFlight += 1;
    this.#turn(row);
    row.now.started += 1;
    return row;
  }

  /**
   * @param result undefined: nothing can be learnt from it
   * @param named  the flow as its task names it. Another one than that of the row: the send is the first one of an endpoint, and counts
   *               for "the others" of its host until a second one shows that it is one
   */
  ended(row: FlowRow, result: 'delivered' | 'failed' | undefined, ms: number, named: Flow = row.flow): void {
    row.inFlight -= 1;
    if (result === undefined) return;
    const isFirst = isOfOthers(row.flow) && named.keyId !== row.flow.keyId;
    const counted = (isFirst ? this.#rows.get(named.keyId) : undefined) ?? row;
    this.#turn(counted);
    counted.now[result] += 1;
    counted.now.latency.note(ms);
    if (isFirst && counted === row) this.#firstSends.remember(named.keyId, { row, result, ms });
  }

  /** The hottest destinations of the last minute. */
  sample(): FlowSample[] {
    const rows = [...this.#rows.values()];
    for (const row of rows) {
      this.#turn(row);
      if (row.inFlight === 0 && sends(row) === 0) this.#rows.delete(row.flow.keyId);
    }
    return rows
      .filter((row) => row.inFlight > 0 || sends(row) > 0)
      .sort((a, b) => b.inFlight - a.inFlight || sends(b) - sends(a))
      .slice(0, REPORTED_ROWS)
      .map(({ flow, inFlight, now, before }) => {
        const latency = new LatencyHistogram(now.latency.counts);
        if (before !== undefined) latency.add(before.latency);
        return { key: flow.key, host: flow.host, inFlight, delivered: now.delivered + (before?.delivered ?? 0), failed: now.failed + (before?.failed ?? 0), latency };
      });
  }

  #row(flow: Flow): FlowRow {
    const known = this.#rows.get(flow.keyId);
    if (known !== undefined) return known;
    // The oldest idle one makes room: with so many destinations single ones are not looked at any more.
    if (this.#rows.size >= MAX_ROWS) {
      for (const [other, { inFlight }] of this.#rows) {
        if (inFlight > 0) continue;
        this.#rows.delete(other);
        break;
      }
    }
    const made = new FlowRow(flow, this.now());
    this.#rows.set(flow.keyId, made);
    this.#takeFirstSend(made);
    return made;
  }

  /** Counts the first send of an endpoint for the endpoint, and no longer for "the others" of its host. */
  #takeFirstSend(made: FlowRow): void {
    const first = this.#firstSends.take(made.flow.keyId);
    if (first === undefined) return;
    const { row, result, ms } = first;
    const span = row.now[result] > 0 ? row.now : row.before;
    if (span === undefined || span[result] === 0) return;
    span[result] -= 1;
    span.started -= 1;
    span.latency.forget(ms);
    made.now[result] += 1;
    made.now.started += 1;
    made.now.latency.note(ms);
  }

  #turn(row: FlowRow): void {
    const at = this.now();
    const passedMs = at - row.now.since;
    if (passedMs < SPAN_MS) return;
    row.before = passedMs < 2 * SPAN_MS ? row.now : undefined;
    row.now = emptySpan(at);
  }
}

function sends({ now, before }: FlowRow): number {
  return now.started + (before?.started ?? 0);
}

function emptySpan(since: number): Span {
  return { since, started: 0, delivered: 0, failed: 0, latency: new LatencyHistogram() };
}
