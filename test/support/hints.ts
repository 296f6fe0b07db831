import type { RedisClient } from '../../shared/redis/redis-connection.js';
import type { Shard } from '../../shared/queue/engine/shard.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';

/** As a deferral leaves a job that was never processed: in the delayed set, fetched once and not since, and in its line. */
export async function putBack(redis: RedisClient, { keys }: Shard, lane: string, jobId: string, since: number): Promise<void> {
  await redis.zadd(keys.delayed, 4_096_000_000, jobId);
  await redis.hset(`${keys.base}${jobId}`, jobField.deferredAt, 1, jobField.fetches, 1);
  await putHint(redis, { keys }, lane, jobId, since);
}

/** Says that the job waits for the destination, whether it does or not. */
export async function putHint(redis: RedisClient, { keys }: Pick<Shard, 'keys'>, lane: string, jobId: string, since: number): Promise<void> {
  await redis.zadd(keys.waitingList(lane), since, jobId);
  await redis.zadd(keys.waitingLists, 'NX', since, lane);
}
