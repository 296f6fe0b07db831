/** The newest entries of the audit that are kept, of all actors together. */
export const ENTRIES_KEPT = 10_000;
/** A shard keeps so many however many shards there are: few shards may get nearly all changes for a while. */
const LEAST_OF_SHARD = 1_000;

/**
 * How many entries the log of one of so many shards keeps. Ids are hashed, so twice its share holds what it has of the newest 10,000 of all, unless it gets
 * far more changes than the others. With 10,000 in each, 256 shards would keep 2.5 million.
 */
export function entriesKeptOfShard(shards: number): number {
  return Math.min(ENTRIES_KEPT, Math.max(LEAST_OF_SHARD, Math.ceil((2 * ENTRIES_KEPT) / shards)));
}
