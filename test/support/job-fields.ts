import { jobIdOf, ownKeys, queueName, type OwnKeys } from '../../shared/queue/names.js';

/** Fields of a job's hash that tests read or write. BullMQ 6.7 gives them these short names; the last three are ours. */
export const jobField = {
  data: 'data',
  options: 'opts',
  /** Our log of the task's attempts, a list in JSON. */
  log: 'stacktrace',
  returnValue: 'returnvalue',
  failedReason: 'failedReason',
  finishedAt: 'finishedOn',
  delay: 'delay',
  priority: 'priority',
  /** How often its worker died. */
  stalls: 'stc',
  /** How often a worker took it. */
  starts: 'ats',
  /** How often it completed or failed. */
  attemptsMade: 'atm',
  /** Name of the worker that took it last. */
  worker: 'pb',
  /** The number of starts when it was deferred. */
  deferred: 'deferred',
  /** Ours: what it can be searched by. */
  search: 'w',
  /** Ours: its last failure. */
  failure: 'e',
} as const;

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
