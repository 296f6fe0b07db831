/** Buckets per doubling: a percentile is at most 19 % too high, and exact below 8 ms. */
const STEPS = 4;
/** Later ones count as two years late. */
const LATEST_MS = 2 ** 36;

/** Number of sends by how late they were, by bucket. Counts of several processes can be added. */
export type LatenessCounts = ReadonlyMap<number, number>;

/**
 * 0 -> 0, 1 -> 1, 2 -> 5, 1000 -> 40. Bucket 0 is "not late", each other one begins at 2 ^ ((bucket - 1) / 4) ms.
 * @param ms start of a send minus its due time, whole milliseconds; below zero counts as 0
 */
export function latenessBucket(ms: number): number {
  return ms < 1 ? 0 : Math.floor(Math.log2(Math.min(ms, LATEST_MS)) * STEPS) + 1;
}

/**
 * @param share 0.5 for the median, 0.99 for p99
 * @returns the largest whole number of milliseconds of the bucket in which that share is reached; undefined without sends
 */
export function latenessPercentile(counts: LatenessCounts, share: number): number | undefined {
  const buckets = [...counts].filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
  let left = buckets.reduce((sum, [, count]) => sum + count, 0) * share;
  for (const [bucket, count] of buckets) {
    left -= count;
    if (left <= 0) return bucket === 0 ? 0 : Math.ceil(2 ** (bucket / STEPS)) - 1;
  }
  return undefined;
}
