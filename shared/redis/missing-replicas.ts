import type { Logger } from '../logging/logger.js';
import type { RedisClient } from './redis-connection.js';
import { replicasOfMasters } from './replica-count.js';

/** Says it at start when a master has fewer replicas than every write waits for: nothing could be accepted. */
export async function warnOfMissingReplicas(redis: RedisClient, minReplicas: number, logger: Pick<Logger, 'warn'>): Promise<void> {
  let replicas: ReadonlyMap<string, number>;
  try {
    replicas = await replicasOfMasters(redis);
  } catch {
    return; // INFO is not allowed, or Redis has gone again: the calls tell
  }
  for (const [master, count] of replicas) {
    if (count < minReplicas) {
      logger.warn(`REDIS_MIN_REPLICAS is ${minReplicas}, and this master has ${count === 0 ? 'no replica' : `${count} ${count === 1 ? 'replica' : 'replicas'} in step`}: until it has ${minReplicas}, tasks and changes are answered with 503. Add replicas, or set REDIS_MIN_REPLICAS to ${count}.`, { master, replicas: count });
    }
  }
}
