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

/**
 * Keys beside BullMQ's own, in the same slot. `key('x')` is `<prefix>:<queue>:x`.
 * lanes: sorted set of flow keys that have a lane, by age; lane: sorted set of deferred job ids, by age. Hints only.
 */
export function ownKeys(key: (suffix: string) => string): {
  readonly parked: string;
  readonly janitorLock: string;
  readonly janitorCursor: string;
  readonly lanes: string;
  lane(flowKey: string): string;
} {
  return { parked: key('parked'), janitorLock: key('janitor-lock'), janitorCursor: key('janitor-cursor'), lanes: key('lanes'), lane: (flowKey) => key(`lane:${flowKey}`) };
}
