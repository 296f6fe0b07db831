/** Buckets per doubling: a percentile is at most 19% too high. */
const STEPS = 4;
/** The last one begins at 2^16 ms, about a minute. */
const BUCKETS = 16 * STEPS + 1;

/** Latencies in milliseconds, counted by buckets, so that what several processes saw can be added. */
export class LatencyHistogram {
  readonly counts: number[];

  /** @param counts counts of another histogram, as they were printed */
  constructor(counts: readonly number[] = []) {
    this.counts = new Array<number>(BUCKETS).fill(0);
    for (let nth = 0; nth < Math.min(BUCKETS, counts.length); nth += 1) this.counts[nth] = counts[nth] ?? 0;
  }

  note(ms: number): void {
    const bucket = bucketOf(ms);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
  }

  /** Takes back what was noted; nothing where none like it is there. */
  forget(ms: number): void {
    const bucket = bucketOf(ms);
    this.counts[bucket] = Math.max(0, (this.counts[bucket] ?? 0) - 1);
  }

  add(other: LatencyHistogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) this.counts[bucket] = (this.counts[bucket] ?? 0) + (other.counts[bucket] ?? 0);
  }

  /** @returns upper end of the bucket, whole ms; undefined when nothing was noted */
  percentile(share: number): number | undefined {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let left = total * share;
    for (const [bucket, count] of this.counts.entries()) {
      left -= count;
      if (count > 0 && left <= 0) return Math.ceil(2 ** ((bucket + 1) / STEPS));
    }
    return undefined;
  }
}

function bucketOf(ms: number): number {
  return Math.min(BUCKETS - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, ms)) * STEPS)));
}
