import { flowNamed, flowOfId, isOfOthers, type Flow } from '../../shared/domain/destinations/flow.js';
import { EVERYTHING } from '../../shared/domain/flow/flow-policy.js';
import type { FlowSample } from '../../shared/domain/flow/flow-report.js';
import { LatencyHistogram } from '../../shared/domain/flow/latency-histogram.js';
import { RecentAnswers } from '../../shared/domain/flow/recent-answers.js';
import { FirstSends } from './first-sends.js';

/** Results are forgotten after one to two of these spans, ms. */
const SPAN_MS = 30_000;
/** Endpoints and flow_keys that have a row of their own, and hosts that have one; a row costs a kilobyte or two. All of them are reported. */
const MOST_ROWS = 5_000;
/** Rows that make room at once: to sort all of them for each new one would cost milliseconds. */
const FOLDED_AT_ONCE = 1_000;
/** What hosts beyond the limit were sent. */
const EVERYWHERE = flowNamed(EVERYTHING, EVERYTHING);

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

/**
 * Counts what this process sends where: for GET /destinations, and for the rate of a destination that refuses too much.
 *
 * There are rows of endpoints and flow_keys, and rows of hosts. That of a host holds what has no row below it: "the others", and the
 * endpoints that were sent to least when there were too many. So the rows of a host always add up to all that was sent there. What
 * hosts beyond their own limit were sent stands in one row for `*`.
 */
export class FlowStats {
  /** One row for each pair of key and host: a flow_key may go to several origins, and each of them has a count of its own. */
  readonly #endpoints = new Map<string, FlowRow>();
  readonly #hosts = new Map<string, FlowRow>();
  readonly #everywhere: FlowRow;
  readonly #firstSends = new FirstSends<FlowRow>();

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number) {
    this.#everywhere = new FlowRow(EVERYWHERE, now());
  }

  /** Destinations remembered; bounded. */
  get remembered(): number {
    return this.#endpoints.size + this.#hosts.size;
  }

  /** @param at monotonic ms */
  started(flow: Flow, at = this.now()): FlowRow {
    const row = this.#row(flow);
    row.inFlight += 1;
    this.#turn(row, at);
    row.now.started += 1;
    return row;
  }

  /**
   * @param result undefined: nothing can be learnt from it
   * @param named  the flow as its task names it. Another one than that of the row: the send is the first one of an endpoint, and counts
   *               for "the others" of its host until a second one shows that it is one
   * @param at     monotonic ms
   */
  ended(row: FlowRow, result: 'delivered' | 'failed' | undefined, ms: number, named: Flow = row.flow, at = this.now()): void {
    row.inFlight -= 1;
    if (result === undefined) return;
    const isFirst = isOfOthers(row.flow) && named.keyId !== row.flow.keyId;
    const counted = (isFirst ? this.#endpoints.get(named.keyId) : undefined) ?? row;
    this.#turn(counted, at);
    counted.now[result] += 1;
    counted.now.latency.note(ms);
    if (isFirst && counted === row) this.#firstSends.remember(named.keyId, { row, result, ms });
  }

  /** Sends in flight, by host or cluster. */
  inFlightByHost(): ReadonlyMap<string, number> {
    const byHost = new Map<string, number>();
    for (const { flow, inFlight } of [...this.#endpoints.values(), ...this.#hosts.values()]) if (inFlight > 0) byHost.set(flow.host, (byHost.get(flow.host) ?? 0) + inFlight);
    return byHost;
  }

  /** What was sent in the last minute, at most 10,001 rows. The sums of each host are complete, and so are those of all hosts. */
  sample(): FlowSample[] {
    const at = this.now();
    const samples: FlowSample[] = [];
    for (const rows of [this.#endpoints, this.#hosts]) {
      for (const [keyId, row] of rows) {
        this.#turn(row, at);
        if (row.inFlight > 0 || sends(row) > 0) samples.push(sampleOf(row));
        else rows.delete(keyId);
      }
    }
    this.#turn(this.#everywhere);
    if (sends(this.#everywhere) > 0) samples.push(sampleOf(this.#everywhere));
    return samples;
  }

  #row(flow: Flow): FlowRow {
    const rows = isOfOthers(flow) ? this.#hosts : this.#endpoints;
    const known = rows.get(flow.keyId);
    if (known !== undefined) return known;
    if (rows.size >= MOST_ROWS) this.#foldSome(rows);
    const made = new FlowRow(flow, this.now());
    rows.set(flow.keyId, made);
    if (rows === this.#endpoints) this.#takeFirstSend(made);
    return made;
  }

  /** Those that were sent to least count in the row above them from now on: that of their host, or the one for `*`. */
  #foldSome(rows: Map<string, FlowRow>): void {
    const idle = [...rows.values()].filter(({ inFlight }) => inFlight === 0).sort((a, b) => sends(a) - sends(b));
    for (const row of idle.slice(0, FOLDED_AT_ONCE)) {
      rows.delete(row.flow.keyId);
      this.#turn(row);
      const above = rows === this.#hosts ? this.#everywhere : this.#row(flowOfId(row.flow.hostId));
      this.#turn(above);
      addSpan(above.now, row.now);
      if (row.before !== undefined) addSpan((above.before ??= emptySpan(row.before.since)), row.before);
    }
  }

  /** Counts the first send of an endpoint for the endpoint, and no longer for "the others" of its host. */
  #takeFirstSend(made: FlowRow): void {
    const first = this.#firstSends.take(made.flow.keyId);
    if (first === undefined) return;
    const { row, result, ms } = first;
    // The row may count in the one above it by now.
    if (this.#hosts.get(row.flow.keyId) !== row) return;
    const span = row.now[result] > 0 ? row.now : row.before;
    if (span === undefined || span[result] === 0) return;
    span[result] -= 1;
    span.started -= 1;
    span.latency.forget(ms);
    made.now[result] += 1;
    made.now.started += 1;
    made.now.latency.note(ms);
  }

  #turn(row: FlowRow, at = this.now()): void {
    const passedMs = at - row.now.since;
    if (passedMs < SPAN_MS) return;
    row.before = passedMs < 2 * SPAN_MS ? row.now : undefined;
    row.now = emptySpan(at);
  }
}

function sampleOf({ flow, inFlight, now, before }: FlowRow): FlowSample {
  const latency = new LatencyHistogram(now.latency.counts);
  if (before !== undefined) latency.add(before.latency);
  return { key: flow.key, host: flow.host, inFlight, delivered: now.delivered + (before?.delivered ?? 0), failed: now.failed + (before?.failed ?? 0), latency };
}

function addSpan(to: Span, { started, delivered, failed, latency }: Span): void {
  to.started += started;
  to.delivered += delivered;
  to.failed += failed;
  to.latency.add(latency);
}

function sends({ now, before }: FlowRow): number {
  return now.started + (before?.started ?? 0);
}

function emptySpan(since: number): Span {
  return { since, started: 0, delivered: 0, failed: 0, latency: new LatencyHistogram() };
}
