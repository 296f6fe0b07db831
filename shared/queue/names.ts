/** Only this file and fleet-keys.ts spell Redis keys, queue names and job ids: here those of a queue, there those of what stands once for the fleet. */

/** The queue of one shard: `deliver-0`, `deliver-1`, ... */
export function queueName(shard: number): string {
  return `deliver-${shard}`;
}

/**
 * Key prefix of one shard's queue. On a cluster all keys of a queue must live in one slot, and different queues in
 * different ones: a hash tag per shard does both.
 */
export function queuePrefix(prefix: string, shard: number, isCluster: boolean): string {
  return isCluster ? `{${prefix}-${shard}}` : prefix;
}

/** How many shards there are. It has the same name on a cluster and elsewhere, so that a process in the wrong mode finds it. */
export function shardCountKey(prefix: string): string {
  return `${prefix}:shards`;
}

/** The same beside each shard, so that a start finds it while the part of Redis that has the other key is away. */
export function shardCountKeyOf(prefix: string, shard: number, isCluster: boolean): string {
  return `${queuePrefix(prefix, shard, isCluster)}:${queueName(shard)}:shards`;
}

/** What BullMQ writes when it opens a queue. */
export function queueMetaKey(prefix: string, shard: number, isCluster: boolean): string {
  return `${queuePrefix(prefix, shard, isCluster)}:${queueName(shard)}:meta`;
}

/**
 * BullMQ refuses ids that look like integers or hold a ':', and an id such as `wait` would collide with a key of the
 * queue itself: always map. `a:b/c` -> `t-a%3Ab%2Fc`, `123` -> `t-123`.
 * @throws URIError for a lone surrogate, which the schema keeps out
 */
export function jobIdOf(taskId: string): string {
  return `t-${encodeURIComponent(taskId)}`;
}

/**
 * The task id behind a job id, or undefined for a job that is not ours. `t-a%2fb` is not ours either: the job of the task `a/b`
 * is `t-a%2Fb` alone, and a call for one job must never act on another.
 */
export function taskIdOf(jobId: string): string | undefined {
  if (!jobId.startsWith('t-')) return undefined;
  try {
    const taskId = decodeURIComponent(jobId.slice(2));
    return jobIdOf(taskId) === jobId ? taskId : undefined;
  } catch {
    return undefined; // a malformed escape: the job is not ours
  }
}

/** The shard of a task: FNV-1a over the id's UTF-16 units, so that an id never moves while the number of shards stays. */
export function shardOf(taskId: string, shards: number): number {
  if (shards === 1) return 0;
  let hash = 0x811c9dc5;
  for (let index = 0; index < taskId.length; index += 1) {
    hash = Math.imul(hash ^ taskId.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % shards;
}

/** See OwnKeys. */
export const PARKED_SUFFIX = 'parked';

/** Keys beside BullMQ's own, in the same slot. `key('x')` is `<prefix>:<queue>:x`. */
export function ownKeys(key: (suffix: string) => string): OwnKeys {
  return {
    parked: key(PARKED_SUFFIX),
    unreadable: key('unreadable'),
    waitingLists: key('lanes'),
    waitingList: (flowKey) => key(`lane:${flowKey}`),
    janitorLock: key('janitor-lock'),
    janitorCursor: key('janitor-cursor'),
    neverThere: key('never-there'),
    replicaMark: key('replica-mark'),
    searchFieldsCursor: key('search-fields-cursor'),
    straysCursor: key('strays-cursor'),
    quota: key('quota'),
    quotaRecount: key('quota-recount'),
    takenOver: key('taken-over'),
    takeOverMark: key('take-over-mark'),
    bulkCounts: (action) => key(`bulk:${action}`),
    bulkList: (action) => key(`bulk-list:${action}`),
    bulkLease: (action) => key(`bulk-lease:${action}`),
    bulkFirstSends: (action) => key(`bulk-first-sends:${action}`),
  };
}

export interface OwnKeys {
  /** Sorted set of parked tasks by time. An older version may have named one too many in it, never one too few. */
  readonly parked: string;
  /** Sorted set of tasks that a worker could not read, by the time it last tried. Old entries mean nothing. */
  readonly unreadable: string;
  /** Sorted set of the flow keys that have a waiting list, by age. */
  readonly waitingLists: string;
  /** Sorted set of deferred jobs of one destination, by age. Hints: may name one too many or one too few. */
  waitingList(flowKey: string): string;
  readonly janitorLock: string;
  readonly janitorCursor: string;
  /** It is never written. Its removal is a write that even a full Redis takes, so it shows whether Redis takes writes. */
  readonly neverThere: string;
  /** It says nothing. It is written behind what replicas must have: see replicated-writes.ts. */
  readonly replicaMark: string;
  /** The progress of the janitor's pass for jobs without search fields. It lapses when it is time for the next pass. */
  readonly searchFieldsCursor: string;
  /** The same of its search for tasks that stand in no set. */
  readonly straysCursor: string;
  /** Hash: how many tasks of each client with a quota are in this shard. Both names stand in Lua, too: see quota-lua.ts. */
  readonly quota: string;
  /** The same while they are counted anew. */
  readonly quotaRecount: string;
  /** Jobs that are being taken from a dead worker. It is there only while that script runs. */
  readonly takenOver: string;
  readonly takeOverMark: string;
  /** Hash: the numbers of a bulk action in this shard. The name stands in Lua, too: see told-bulk-action.ts. */
  bulkCounts(action: string): string;
  /** Sorted set of the tasks that a bulk action has written down in this shard and not touched yet: see bulk-shard-scripts.ts. */
  bulkList(action: string): string;
  /** The worker that carries the action out in this shard; it lapses. */
  bulkLease(action: string): string;
  /** List: how the newest first sends of the action ended in this shard. */
  bulkFirstSends(action: string): string;
}
