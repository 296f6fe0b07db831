import { isCluster, type RedisClient } from './redis-connection.js';

/**
 * Whether Redis answers what may write. `CLIENT PAUSE ... WRITE` answers PING and INFO, so a connection becomes ready and
 * looks well, and it makes every script wait, whatever the script does. So this question changes nothing, and needs the right
 * to no key. Of a Cluster any node is asked, and one that is paused alone is a part that is away: other lines tell of it.
 *
 * @returns false when it is refused: a Redis that is busy with a script, or does not let us in, is not back. Resolves late, or false, while Redis is away
 */
export async function answersWrites(redis: RedisClient): Promise<boolean> {
  try {
    await (isCluster(redis) ? redis.ping() : redis.eval('return 1', 0));
    return true;
  } catch {
    return false;
  }
}
