import { jobIdOf, ownKeys, queueName, type OwnKeys } from '../../shared/queue/names.js';

/** Key of the lock that a worker holds on a job. */
export function lockOf(jobKey: string): string {
  return `${jobKey}:lock`;
}

export interface ShardKeys extends OwnKeys {
  /** A job's own key follows it. */
  readonly base: string;
  readonly delayed: string;
  readonly completed: string;
  readonly failed: string;
  job(taskId: string): string;
}

/** Keys of the only shard, for tests of services that run in other processes. A TaskQueue of one's own has them in `shards()`. */
export function shardKeys(prefix: string): ShardKeys {
  const key = (suffix: string): string => `${prefix}:${queueName(0)}:${suffix}`;
  return { ...ownKeys(key), base: key(''), delayed: key('delayed'), completed: key('completed'), failed: key('failed'), job: (taskId) => key(jobIdOf(taskId)) };
}
