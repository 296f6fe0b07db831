import { LatencyHistogram } from './latency-histogram.js';
import { readFacts, type WorkerFacts } from './worker-facts.js';

/** The sends of one worker to one destination in about the last minute. */
export interface FlowSample {
  readonly key: string;
  readonly host: string;
  readonly inFlight: number;
  /** Sends that ended. */
  readonly delivered: number;
  readonly failed: number;
  readonly latency: LatencyHistogram;
}

/** Room for sends in one worker, all shards together. */
export interface WorkerSlots {
  readonly total: number;
  /** Sends in flight; after the share of the worker has become smaller it may be more than the total. */
  readonly inUse: number;
}

/** The report that a worker sends to the fleet once a second. */
export interface FlowReport {
  /** undefined: the worker's version reports none. */
  readonly facts: WorkerFacts | undefined;
  /** How often the worker of a shard hung and was built anew since the process started; 0 from a version that reports none. */
  readonly rebuilds: number;
  /** undefined: the worker's version reports none. */
  readonly slots: WorkerSlots | undefined;
  readonly samples: readonly FlowSample[];
}

/**
 * For Redis, as short as it gets: a worker writes one each second.
 * `[{"facts":{"VERSION":"0.1.0",...},"rebuilds":0,"slots":[1000,17]},["https://a","https://a",1,20,0,[[5,20]]],...]`. An API of an older version expects
 * rows alone, and skips an element that is no row: so all else is one more element, and old and new processes read each
 * other's reports.
 */
export function printReport({ facts, rebuilds, slots, samples }: FlowReport): string {
  const rows = samples.map(({ key, host, inFlight, delivered, failed, latency }) => [key, host, inFlight, delivered, failed, sparse(latency.counts)]);
  if (facts === undefined) return JSON.stringify(rows);
  const head = JSON.stringify({ facts, rebuilds, slots: slots === undefined ? undefined : [slots.total, slots.inUse] });
  return rows.length === 0 ? `[${head}]` : `[${head}${END_OF_HEAD}${JSON.stringify(rows).slice(1)}`;
}

/** Text in JSON holds no line break, so the first one stands here. */
const END_OF_HEAD = ',\n';

/** What a worker says of itself: the report without its samples, of which there may be a megabyte. */
export function readReportHead(report: string): Omit<FlowReport, 'samples'> {
  const end = report.startsWith('[{') ? report.indexOf(END_OF_HEAD) : -1;
  return readReport(end < 0 ? report : `${report.slice(0, end)}]`);
}

/** @returns no samples and no facts for a report that another version wrote in another form */
export function readReport(report: string): FlowReport {
  const elements: unknown = JSON.parse(report);
  if (!Array.isArray(elements)) return { facts: undefined, rebuilds: 0, slots: undefined, samples: [] };
  let facts: WorkerFacts | undefined;
  let rebuilds = 0;
  let slots: WorkerSlots | undefined;
  const samples: FlowSample[] = [];
  for (const element of elements as unknown[]) {
    if (Array.isArray(element)) {
      if (!Array.isArray(element[5])) continue;
      // Written by printReport.
      const [key, host, inFlight, delivered, failed, counts] = element as [string, string, number, number, number, [number, number][]];
      samples.push({ key, host, inFlight, delivered, failed, latency: new LatencyHistogram(dense(counts)) });
    } else if (typeof element === 'object' && element !== null && 'facts' in element) {
      facts = readFacts(element.facts);
      if ('rebuilds' in element && typeof element.rebuilds === 'number') rebuilds = element.rebuilds;
      if ('slots' in element) slots = readSlots(element.slots);
    }
  }
  return { facts, rebuilds, slots, samples };
}

function readSlots(written: unknown): WorkerSlots | undefined {
  if (!Array.isArray(written)) return undefined;
  const [total, inUse] = written as unknown[];
  return typeof total === 'number' && typeof inUse === 'number' ? { total, inUse } : undefined;
}

function sparse(counts: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  // A loop: a report may have thousands of rows, and each has 65 counts.
  for (let bucket = 0; bucket < counts.length; bucket += 1) {
    const count = counts[bucket] ?? 0;
    if (count > 0) found.push([bucket, count]);
  }
  return found;
}

function dense(pairs: readonly [number, number][]): number[] {
  const counts: number[] = [];
  for (const [bucket, count] of pairs) counts[bucket] = count;
  return counts;
}
