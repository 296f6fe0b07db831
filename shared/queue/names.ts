/** The only speller of Redis keys, queue names and job ids. */

/** Queue of one shard: `deliver-0`, `deliver-1`, ... */
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

/**
 * BullMQ refuses ids that look like integers or hold a ':', and an id such as `wait` would collide with a key of the
 * queue itself: always map. `a:b/c` -> `t-a%3Ab%2Fc`, `123` -> `t-123`.
 * @throws URIError for a lone surrogate, which the schema keeps out
 */
export function jobIdOf(taskId: string): string {
  return `t-${encodeURIComponent(taskId)}`;
}

/** The task id behind a job id, or undefined for a job that is not ours. */
export function taskIdOf(jobId: string): string | undefined {
  if (!jobId.startsWith('t-')) return undefined;
  try {
    return decodeURIComponent(jobId.slice(2));
  } catch {
    return undefined; // malformed escape: somebody else's job
  }
}

/** Which shard a task lives in: FNV-1a over the id's UTF-16 units, so that an id never moves while the number stays. */
export function shardOf(taskId: string, shards: number): number {
  if (shards === 1) return 0;
  let hash = 0x811c9dc5;
  for (let index = 0; index < taskId.length; index += 1) {
    hash = Math.imul(hash ^ taskId.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % shards;
}

/** Keys beside BullMQ's own, in the same slot. `key('x')` is `<prefix>:<queue>:x`. */
export function ownKeys(key: (suffix: string) => string): OwnKeys {
  return {
    parked: key('parked'),
    unreadable: key('unreadable'),
    lanes: key('lanes'),
    lane: (flowKey) => key(`lane:${flowKey}`),
    janitorLock: key('janitor-lock'),
    janitorCursor: key('janitor-cursor'),
  };
}

export interface OwnKeys {
  /** Sorted set of parked tasks by time; may name one too many, never one too few. */
  readonly parked: string;
  /** Sorted set of tasks that a worker could not read, by the time it last tried. Old entries mean nothing. */
  readonly unreadable: string;
  /** Sorted set of the flow keys that have a lane, by age. */
  readonly lanes: string;
  /** Sorted set of deferred jobs of one destination, by age. Hints: may name one too many or one too few. */
  lane(flowKey: string): string;
  readonly janitorLock: string;
  readonly janitorCursor: string;
}
