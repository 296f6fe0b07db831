import type { BackendFactory, RedisQueueBackend } from 'bullmq';
import type { RedisClient } from '../../redis/redis-connection.js';
import { createBatchingBackend } from './finish-batcher.js';
import { wakeWhenDue } from './wake-when-due.js';

/**
 * BullMQ's own backend for a worker that delivers, with the two things that we do in another way: jobs end in groups,
 * and an idle worker wakes itself.
 * @param redis  the connection of the worker
 * @param marker key of the set on which idle workers wait
 */
export function deliveryBackend(redis: RedisClient, marker: string): BackendFactory<RedisQueueBackend> {
  return (...args) => wakeWhenDue(createBatchingBackend(...args), () => endWait(redis, marker));
}

/**
 * Lets a waiting worker look for due jobs at once. BullMQ writes the same when a job is added. While Redis is away
 * nothing is written, because ioredis would send it much later.
 * @param marker key of the set on which idle workers wait
 */
export async function endWait(redis: RedisClient, marker: string): Promise<void> {
  if (redis.status === 'ready') await redis.zadd(marker, 0, '0');
}
