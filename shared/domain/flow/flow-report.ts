import { LatencyHistogram } from './latency-histogram.js';

/** What one worker has seen of one destination in about the last minute. */
export interface FlowSample {
  readonly key: string;
  readonly host: string;
  readonly inFlight: number;
  /** Sends that ended. */
  readonly delivered: number;
  readonly failed: number;
  readonly latency: LatencyHistogram;
}

/** For Redis, as short as it gets: a worker writes one each second. */
export function printReport(samples: readonly FlowSample[]): string {
  return JSON.stringify(samples.map(({ key, host, inFlight, delivered, failed, latency }) => [key, host, inFlight, delivered, failed, sparse(latency.counts)]));
}

/** @returns nothing for what another version wrote in another form */
export function readReport(report: string): FlowSample[] {
  const rows: unknown = JSON.parse(report);
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown) => {
    if (!Array.isArray(row) || !Array.isArray(row[5])) return [];
    // Written by printReport.
    const [key, host, inFlight, delivered, failed, counts] = row as [string, string, number, number, number, [number, number][]];
    return [{ key, host, inFlight, delivered, failed, latency: new LatencyHistogram(dense(counts)) }];
  });
}

function sparse(counts: readonly number[]): [number, number][] {
  return [...counts.entries()].filter(([, count]) => count > 0);
}

function dense(pairs: readonly [number, number][]): number[] {
  const counts: number[] = [];
  for (const [bucket, count] of pairs) counts[bucket] = count;
  return counts;
}
