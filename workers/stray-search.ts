import type { Logger } from '../shared/logging/logger.js';
import type { Shard } from '../shared/queue/engine/shard.js';
import { firstStrayStep, restoreStrays, type StrayPass } from '../shared/queue/tasks/restore-strays.js';
import type { RedisClient } from '../shared/redis/redis-connection.js';

/**
 * The rest between two passes: a second for each so many keys that were looked at, so that Redis has the same little to do for it, whatever
 * it holds. A pass over 200,000 keys is followed by ten minutes.
 */
const KEYS_PER_SECOND_OF_REST = 333;
const SHORTEST_REST_S = 60;
const LONGEST_REST_S = 3_600;
const RESTING = 'resting';
const MOST_NAMED = 10;

/**
 * One step of the search for tasks that stand in no set. The progress is kept in Redis for the next janitor. Between two passes a word stands there
 * instead, which lapses.
 * @returns is the pass under way?
 * @throws when Redis fails
 */
export async function searchStrays(shard: Shard, redis: RedisClient, logger: Logger): Promise<boolean> {
  const key = shard.keys.straysCursor;
  const state = await redis.get(key);
  if (state === RESTING) return false;
  const { restored, looked, next } = await restoreStrays(redis, shard, state === null ? firstStrayStep : parsePass(state));
  if (restored.length > 0) logger.warn('tasks that stood in no set of Redis were put among those that wait or have ended: a command was refused halfway, or a key was removed', { queue: shard.queue.name, count: restored.length, jobs: restored.slice(0, MOST_NAMED).join(' ') });
  if (next === undefined) await redis.set(key, RESTING, 'EX', Math.min(LONGEST_REST_S, Math.max(SHORTEST_REST_S, Math.ceil(looked / KEYS_PER_SECOND_OF_REST))));
  else await redis.set(key, `${next.cursor} ${next.looked}`);
  return next !== undefined;
}

/** @returns the first step for a text that no version of ours has written */
function parsePass(text: string): StrayPass {
  const [, cursor, looked] = /^(\d+) (\d+)$/.exec(text) ?? [];
  return cursor === undefined ? firstStrayStep : { cursor, looked: Number(looked) };
}
