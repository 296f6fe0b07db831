const FIRST_MS = 1_000;
const LONGEST_MS = 10_000;

/**
 * How long a worker leaves a Redis alone that refuses: 1 s, then 2 s, 4 s, 8 s, and 10 s from then on.
 *
 * @param previousMs the pause before, 0 for the first one
 * @returns whole milliseconds, 1,000..10,000
 */
export function nextBrakeMs(previousMs: number): number {
  return Math.min(Math.max(FIRST_MS, previousMs * 2), LONGEST_MS);
}
