import type { RedisClient } from '../../shared/redis/redis-connection.js';
import type { Shard } from '../../shared/queue/engine/shard.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';

/** Leaves a job as a deferral does when it was never processed: in the delayed set, fetched once and not since, and in its waiting list. */
export async function putBack(redis: RedisClient, { keys }: Shard, flowKey: string, jobId: string, since: number): Promise<void> {
  await redis.zadd(keys.delayed, 4_096_000_000, jobId);
  await redis.hset(`${keys.base}${jobId}`, jobField.deferredAt, 1, jobField.fetches, 1);
  await putHint(redis, { keys }, flowKey, jobId, since);
}

/** Puts the job into the waiting list, whether it waits or not. */
export async function putHint(redis: RedisClient, { keys }: Pick<Shard, 'keys'>, flowKey: string, jobId: string, since: number): Promise<void> {
  await redis.zadd(keys.waitingList(flowKey), since, jobId);
  await redis.zadd(keys.waitingLists, 'NX', since, flowKey);
}
