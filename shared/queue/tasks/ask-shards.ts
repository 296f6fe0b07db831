import { REQUEST_LIMIT_MS, withinRequestLimit } from '../../redis/request-limit.js';
import type { ShardHealth } from '../engine/shard-health.js';
import type { Shard } from '../engine/shard.js';

/** What the shards that can be asked now have answered. */
export interface ShardAnswers<T> {
  readonly answers: readonly T[];
  /** Queues of the shards that have not answered, such as `deliver-3`. */
  readonly shardsAway: readonly string[];
}

/** How all shards are asked. */
export interface AskingShards {
  readonly health: ShardHealth;
  /** Whether an error means that the shard cannot be asked; every other one is thrown. */
  readonly isAway: (error: unknown) => boolean;
  /** A shard that has not answered by then is away, ms. */
  readonly limitMs?: number | undefined;
}

/** Where some may be away alone, it leaves some of the time of a request for what the answer needs besides. */
const LIMIT_MS = 700;

/**
 * Asks all shards at once that answer. On a cluster the node of one may be away alone: the others are asked all the same.
 * @throws the error of the first shard when no shard answers within the limit
 */
export async function askShards<T>(shards: readonly Shard[], ask: (shard: Shard) => Promise<T>, { health, isAway, limitMs = health.isWatching ? LIMIT_MS : REQUEST_LIMIT_MS }: AskingShards): Promise<ShardAnswers<T>> {
  const startedAt = performance.now();
  const answering = await health.answering(shards.map(({ queue }) => queue.name));
  const asked = shards.filter(({ queue }) => answering.has(queue.name));
  const restMs = limitMs - (performance.now() - startedAt);
  const results = await Promise.allSettled(asked.map((shard) => withinRequestLimit(ask(shard), restMs)));
  const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  // Promise.allSettled has no type for its reasons.
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  for (const [nth, error] of failures.entries()) if (answers.length === 0 ? nth === 0 : !isAway(error)) throw error;
  const answered = new Set(asked.filter((_, nth) => results[nth]?.status === 'fulfilled'));
  return { answers, shardsAway: shards.filter((shard) => !answered.has(shard)).map(({ queue }) => queue.name) };
}
