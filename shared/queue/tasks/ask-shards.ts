import { withinRequestLimit } from '../../redis/request-limit.js';
import type { Shard } from '../engine/shard.js';

/** What the shards that can be asked now have answered. */
export interface ShardAnswers<T> {
  readonly answers: readonly T[];
  /** Queues of the shards that have not answered, such as `deliver-3`. */
  readonly shardsAway: readonly string[];
}

/**
 * Asks all shards at once. On a cluster the node of one may be away alone: the others are asked all the same.
 * @param isAway  whether an error means that the shard cannot be asked; every other one is thrown
 * @param limitMs a shard that has not answered by then is away. The default is the time of a request
 * @throws the error of the first shard when no shard answers within the limit
 */
export async function askShards<T>(shards: readonly Shard[], ask: (shard: Shard) => Promise<T>, isAway: (error: unknown) => boolean, limitMs?: number): Promise<ShardAnswers<T>> {
  const results = await Promise.allSettled(shards.map((shard) => withinRequestLimit(ask(shard), limitMs)));
  const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  // Promise.allSettled has no type for its reasons.
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  for (const [nth, error] of failures.entries()) if (answers.length === 0 ? nth === 0 : !isAway(error)) throw error;
  return { answers, shardsAway: shards.filter((_, nth) => results[nth]?.status === 'rejected').map(({ queue }) => queue.name) };
}
