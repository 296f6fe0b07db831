import type { RedisErrorClass } from '../../shared/redis/redis-error.js';

const FIRST_MS = 1_000;
/** A failover ends by itself, and its tasks have waited meanwhile. */
const LONGEST_UNAVAILABLE_MS = 2_000;
/** What Redis refuses lasts until a person acts. */
const LONGEST_MS = 10_000;

/**
 * How long a worker leaves a Redis alone that refuses: 1 s, then 2 s, 4 s, 8 s, and 10 s from then on; of a part of a cluster that is away,
 * no more than 2 s.
 *
 * @param previousMs the pause before, 0 for the first one
 * @returns whole milliseconds, 1,000..10,000
 */
export function nextBrakeMs(previousMs: number, errorClass: RedisErrorClass): number {
  return Math.min(Math.max(FIRST_MS, previousMs * 2), errorClass === 'unavailable' ? LONGEST_UNAVAILABLE_MS : LONGEST_MS);
}
