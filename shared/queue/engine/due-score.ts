/** BullMQ keeps the due time of a delayed job as milliseconds * 4096 + a running number. Our Lua reckons with it, too. */
export const SCORE_PER_MS = 0x1000;

/** Milliseconds since the epoch. @param score as Redis writes it */
export function dueAtOfScore(score: string): number {
  return Math.floor(Number(score) / SCORE_PER_MS);
}

/** The highest score that is due at this time, the millisecond itself included. */
export function highestDueScore(now: number): number {
  return (now + 1) * SCORE_PER_MS - 1;
}
