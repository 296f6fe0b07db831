import type { RedisClock } from './redis-clock.js';
import type { RedisClient } from './redis-connection.js';

/**
 * Asks Redis for its time on each new connection, so that the clock is right before the first request is answered, and after
 * another master has taken over. Later answers come from what is asked anyway.
 */
export function askTimeWhenReady(redis: RedisClient, clock: RedisClock): void {
  const ask = async (): Promise<void> => {
    try {
      const askedAt = performance.now();
      const [seconds, microseconds] = await redis.time();
      clock.learn(Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000), askedAt);
    } catch {
      // The connection is gone again. The next one asks anew.
    }
  };
  redis.on('ready', () => void ask());
  if (redis.status === 'ready') void ask();
}
