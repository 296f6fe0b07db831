import type { RedisConfig } from '../shared/config/config.js';
import type { Logger } from '../shared/logging/logger.js';
import { MismatchError } from '../shared/queue/engine/mismatch-error.js';
import { rightsProbe } from '../shared/queue/rights-probe.js';
import { TaskQueue } from '../shared/queue/tasks/task-queue.js';
import type { TaskQueueOptions } from '../shared/queue/tasks/task-queue-options.js';
import { RedisAccess, RedisRefusedError } from '../shared/redis/redis-access.js';
import { connectRedis, type RedisClient } from '../shared/redis/redis-connection.js';
import { logConnectionChanges } from '../shared/redis/redis-watch.js';
import { RefusalLog } from '../shared/redis/refusal-log.js';

/** A store of one Redis has one shard, unless SHARDS said otherwise. */
export const PREVIOUS_SHARDS = 1;

/** The store that the service moves away from (PREVIOUS_REDIS_ADDR). */
export interface PreviousStore {
  readonly redis: RedisClient;
  /** The queue that reads it too closes it. */
  readonly queue: TaskQueue;
  /** Behind the queue. */
  close(): void;
}

export interface PreviousStoreDeps {
  readonly logger: Logger;
  /** As of the new store. */
  readonly ofTasks: Pick<TaskQueueOptions, 'prefix' | 'deadAttempts' | 'mask' | 'secrets' | 'clock'>;
  /** It does not let us in, or is a store of another kind: the process has to end. */
  readonly onUnfitRedis: (error: unknown) => void;
}

/** Connects to it at once. Its lines of the log are told from those of the new store by `store`. */
export function createPreviousStore(config: RedisConfig, { logger, ofTasks, onUnfitRedis }: PreviousStoreDeps): PreviousStore {
  const ofStore: Logger = { ...logger, error: (message, fields) => logger.error(message, { ...fields, store: 'previous' }), info: (message, fields) => logger.info(message, { ...fields, store: 'previous' }), warn: (message, fields) => logger.warn(message, { ...fields, store: 'previous' }) };
  const redis = connectRedis(config, 'server');
  logConnectionChanges(redis, ofStore, 'server');
  const access = new RedisAccess(redis, config, ofStore, rightsProbe(ofTasks.prefix, false, PREVIOUS_SHARDS));
  access.admission.catch((error: unknown) => onUnfitRedis(error instanceof RedisRefusedError ? new MismatchError(`the old Redis, which has variables of its own (PREVIOUS_REDIS_*): ${error.message}`) : error));
  const onMismatch = ({ message }: MismatchError): void => onUnfitRedis(new MismatchError(`PREVIOUS_REDIS_ADDR can only be a store of one shard: ${message}`));
  const queue = new TaskQueue({ ...ofTasks, redis, shards: PREVIOUS_SHARDS, access, refusals: new RefusalLog(ofStore, () => access.refused()), onMismatch, onWait: (what) => ofStore.warn('waits for a part of Redis', { what }) });
  return {
    redis,
    queue,
    close: () => {
      access.close();
      redis.disconnect();
    },
  };
}
