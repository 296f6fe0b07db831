/**
 * Codes of `waiting_for`: why flow control put a task back.
 *
 * | code | the destination |
 * |---|---|
 * | destination_busy | has as many sends in flight as it may have |
 * | limit | is at the limit that an operator set |
 * | rate_lowered | it refused too much (429, 503): less is sent to it for a while |
 * | circuit_open | failed again and again, or asked to be left alone for a time (Retry-After, or a Kafka quota) |
 * | paused | was paused by an operator |
 */
export const deferralReasons = ['destination_busy', 'limit', 'rate_lowered', 'circuit_open', 'paused'] as const;
export type DeferralReason = (typeof deferralReasons)[number];

/** A deferred task whose wake-up got lost comes back after this time: a lost wake-up costs delay, never a task. */
const SAFETY_MS = 60_000;
/**
 * This is added for each waiting task. Otherwise most of many waiting tasks would come due before their turn and be put
 * back again.
 */
const SAFETY_PER_WAITING_MS = 100;
const LONGEST_SAFETY_MS = 3_600_000;

/**
 * When a deferred task comes back if it is not woken.
 * @param waiting  tasks to the same destination that wait before it
 * @returns whole milliseconds from now: 60_000 for none, 160_000 for 1_000, at most an hour
 */
export function deferralDelayMs(waiting: number): number {
  return Math.min(SAFETY_MS + waiting * SAFETY_PER_WAITING_MS, LONGEST_SAFETY_MS);
}
