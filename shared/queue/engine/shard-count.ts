import { isCluster, type RedisClient } from '../../redis/redis-connection.js';
import { RedisErrors } from '../../redis/redis-error.js';
import { MismatchError } from './mismatch-error.js';
import { queueMetaKey, shardCountKey } from '../names.js';

/** What versions used that did not store the number. */
const BEFORE_IT_WAS_STORED = { cluster: 16, other: 1 } as const;
/** How long to wait before Redis is asked again for what it has not done, ms. */
export const ASK_AGAIN_MS = 250;

/** The tasks in Redis are spread over another number of shards: an id would lead to another one than the task is in. */
export class ShardCountError extends MismatchError {
  override readonly name = 'ShardCountError';

  /** @param stored as it stands in Redis */
  constructor(stored: string, own: number, prefix: string) {
    super(
      `the tasks under QUEUE_PREFIX=${prefix} are spread over ${stored} shards, and this process is set up for ${own}: it would not find them, and would send some twice. ` +
        `Set SHARDS=${stored}, and REDIS_MODE as the processes have it that wrote them. The number of a store cannot be changed; to get another one, move to a new store as docs/SCALING.md says.`,
    );
  }
}

/**
 * Stores how many shards there are, if Redis does not know it yet, and compares it with our number. It waits until the part of Redis
 * answers that knows it: a process with a wrong number must not take any task.
 * @param isClosed ends the wait
 * @param errors   knows for how long Redis has been read-only: that ends the wait, too
 * @returns whether Redis knows it now. One that is full, or takes no writes for another reason, can be read all the same: its tasks are
 * delivered, and the caller tries again later.
 * @throws ShardCountError; what Redis refuses to read with
 */
export async function settleShardCount(redis: RedisClient, prefix: string, count: number, isClosed: () => boolean, errors = new RedisErrors()): Promise<{ readonly isStored: boolean }> {
  for (;;) {
    try {
      const { number, isStored } = await readOrStore(redis, prefix, count, errors);
      if (number !== String(count)) throw new ShardCountError(number, count, prefix);
      return { isStored };
    } catch (error) {
      if (error instanceof MismatchError || errors.classify(error) !== 'unavailable' || isClosed()) throw error;
      await readyOrLater(redis);
    }
  }
}

/** A process that starts asks before its connection is there, which takes some milliseconds. */
function readyOrLater(redis: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    const goOn = (): void => {
      clearTimeout(timer);
      redis.off('ready', goOn);
      redis.setMaxListeners(redis.getMaxListeners() - 1);
      resolve();
    };
    const timer = setTimeout(goOn, ASK_AGAIN_MS);
    // The parts of a process that share a client have about ten together, at which Node warns of a leak.
    redis.setMaxListeners(redis.getMaxListeners() + 1);
    redis.once('ready', goOn);
  });
}

async function readOrStore(redis: RedisClient, prefix: string, count: number, errors: RedisErrors): Promise<{ readonly number: string; readonly isStored: boolean }> {
  const key = shardCountKey(prefix);
  const stored = await redis.get(key);
  if (stored !== null) return { number: stored, isStored: true };
  const number = (await numberInUse(redis, prefix)) ?? count;
  try {
    // Of several that start at once, one wins.
    await redis.set(key, number, 'NX');
  } catch (error) {
    const errorClass = errors.classify(error);
    if (errorClass !== 'full' && errorClass !== 'refused') throw error;
    return { number: String(number), isStored: false };
  }
  return { number: (await redis.get(key)) ?? String(number), isStored: true };
}

/** The number of a store that an older version has made; undefined: there is no store yet. */
async function numberInUse(redis: RedisClient, prefix: string): Promise<number | undefined> {
  const isThere = async (isOfCluster: boolean): Promise<boolean> => (await redis.exists(queueMetaKey(prefix, isOfCluster))) === 1;
  if (await isThere(true)) return BEFORE_IT_WAS_STORED.cluster;
  // On a cluster the other one is no store of ours.
  return !isCluster(redis) && (await isThere(false)) ? BEFORE_IT_WAS_STORED.other : undefined;
}
