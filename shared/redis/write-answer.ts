import type { RedisClient } from './redis-connection.js';
import { redisErrorCode } from './redis-error.js';

/**
 * Whether Redis answers what may write. `CLIENT PAUSE ... WRITE` answers PING and INFO, so a connection becomes ready and
 * looks well, and it makes every script wait, whatever the script does. So this question changes nothing, and needs the right
 * to no key.
 *
 * @returns also true when it is refused: then Redis is there, and other lines say what it refuses. Resolves late, or false, while Redis is away
 */
export async function answersWrites(redis: RedisClient): Promise<boolean> {
  try {
    await redis.eval('return 1', 0);
    return true;
  } catch (error) {
    return redisErrorCode(error) !== undefined;
  }
}
