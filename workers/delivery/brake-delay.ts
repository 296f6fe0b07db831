import type { RedisErrorClass } from '../../shared/redis/redis-error.js';

/**
 * A failover ends by itself, and its tasks have waited meanwhile. So it is tried as often as the API asks its shards: with 2 s, the shards of a node
 * that had come back were left alone for up to 2 s more. On a cluster one trial goes on by itself for about a second (ioredis sends it again every 100 ms).
 */
const UNAVAILABLE_MS = 250;
const FIRST_MS = 1_000;
/** What Redis refuses may last until a person acts. When it is over, deliveries have to go on within 5 s: a replica that was restarted ends NOREPLICAS. */
const LONGEST_MS = 4_000;

/**
 * How long a worker leaves a Redis alone that refuses: 1 s, then 2 s, and 4 s from then on; one that is away, or a part of a cluster,
 * 0.25 s each time.
 *
 * @param previousMs the pause before, 0 for the first one
 * @returns whole milliseconds, 250..4,000
 */
export function nextBrakeMs(previousMs: number, errorClass: RedisErrorClass): number {
  return errorClass === 'unavailable' ? UNAVAILABLE_MS : Math.min(Math.max(FIRST_MS, previousMs * 2), LONGEST_MS);
}
