import type { BackendFactory, RedisQueueBackend } from 'bullmq';
import type { Clock } from '../../domain/ports.js';
import type { RedisClient } from '../../redis/redis-connection.js';
import { boundReconnect } from './bounded-reconnect.js';
import { passTimeOf } from './callers-time.js';
import { batchingBackend } from './finish-batcher.js';
import { lookAfterFailure } from './look-after-failure.js';
import type { PendingCalls } from './pending-calls.js';
import { promoteInSteps } from './promoting-scripts.js';
import { fetchReadable } from './readable-job.js';
import { repeatRefused, type RepeatOptions } from './repeat-refused.js';
import type { ToldEnds } from './told-ends.js';
import { wakeWhenDue } from './wake-when-due.js';
import { watchCalls } from './watched-calls.js';

/**
 * BullMQ's own backend for a worker that delivers, with the eight things that we do in another way: jobs end in groups,
 * due jobs move in small steps, what Redis refuses for a moment is repeated, an idle worker wakes itself, a failure is followed by a look for due jobs, no call of its loop can hang unseen, what is due
 * is decided by a clock of ours, and a job that BullMQ cannot parse is fetched all the same.
 * @param redis  the connection of the worker
 * @param marker key of the set on which idle workers wait
 * @param calls  is told what the loop waits for
 * @param clock  by which jobs are due
 * @param told   ends that bulk actions are told
 * @param repeat how long to repeat what Redis refuses
 */
export function deliveryBackend(redis: RedisClient, marker: string, calls: PendingCalls, clock: Clock, told: ToldEnds, repeat: RepeatOptions): BackendFactory<RedisQueueBackend> {
  const create = batchingBackend(told);
  return (...args) => {
    const backend = wakeWhenDue(fetchReadable(repeatRefused(passTimeOf(clock, promoteInSteps(create(...args))), repeat)), () => endWait(redis, marker), clock);
    return watchCalls(lookAfterFailure(boundReconnect(backend, calls)), calls);
  };
}

/**
 * Lets a waiting worker look for due jobs at once. BullMQ writes the same when a job is added. While Redis is away
 * nothing is written, because ioredis would send it much later.
 * @param marker key of the set on which idle workers wait
 */
export async function endWait(redis: RedisClient, marker: string): Promise<void> {
  if (redis.status === 'ready') await redis.zadd(marker, 0, '0');
}
