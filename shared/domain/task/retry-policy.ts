/**
 * How far the waits between sends are spread, so that tasks that failed together do not come back together. d is the
 * policy's delay for that attempt, doubled and capped. The result is rounded up to whole milliseconds.
 *
 * | jitter | the wait |
 * |---|---|
 * | none | exactly d |
 * | equal | between d / 2 and d |
 * | full | between d / 2 and 3 d / 2, never past the cap: at the cap between half of it and all of it |
 */
export const jitters = ['none', 'equal', 'full'] as const;

export type Jitter = (typeof jitters)[number];

/** When a task is sent. All values were validated at the edge. Fractions of a millisecond are kept until the end. */
export interface RetryPolicy {
  /** Retries after the first send, 0..100. Sends in all: maxRetries + 1. */
  readonly maxRetries: number;
  /** Wait before the first send, >= 0; 0 means at once. The cap does not apply to it. */
  readonly initialDelayMs: number;
  /** Wait after the first failure, > 0; doubles with each further one. */
  readonly baseDelayMs: number;
  /** Cap on backoff and on Retry-After, > 0. */
  readonly maxDelayMs: number;
  /** Spreads the waits after failures, also those of the dead delivery. It never changes the initial delay. */
  readonly jitter: Jitter;
}

/**
 * Policy of the dead delivery: DEAD_ATTEMPTS, DEAD_BASE_DELAY, DEAD_MAX_DELAY. It is the same for all tasks, except for
 * the jitter, which is the task's.
 */
export interface DeadPolicy {
  /** Sends to the dead destination before the task is parked, >= 1. */
  readonly attempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/** Waits that double up to a cap. */
interface Backoff {
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * Wait between the failure of one attempt and the start of the next: doubles, then stays at the cap.
 *
 * | baseDelayMs | maxDelayMs | before attempt 1, 2, 3, ... |
 * |---|---|---|
 * | 10_000 | 3_600_000 | 10 s, 20 s, 40 s, 80 s, ... attempt 9: 42 min 40 s, then 1 h |
 * | 500 | 86_400_000 | 0.5 s, 1 s, 2 s, 4 s, 8 s |
 * | 0.5 | 86_400_000 | 1 ms, 1 ms, 2 ms, 4 ms |
 *
 * With jitter, for baseDelayMs 10_000 and maxDelayMs 40_000:
 *
 * | jitter | random | before attempt 1, 2, 3, 4 |
 * |---|---|---|
 * | equal | 0 | 5 s, 10 s, 20 s, 20 s |
 * | equal | 0.5 | 7.5 s, 15 s, 30 s, 30 s |
 * | full | 0 | 5 s, 10 s, 20 s, 20 s |
 * | full | 0.5 | 10 s, 20 s, 30 s, 30 s |
 *
 * @param attempt       the attempt to come, >= 1 (attempt 0, the first send, waits initialDelayMs)
 * @param policy        milliseconds, validated at the edge; a fraction is rounded up at the end, so never early
 * @param random        in [0, 1): what the jitter draws from; 0 gives the shortest wait there can be
 * @param retryAfterMs  what the receiver asked for, in whole milliseconds: a minimum, jitter or not, but never past the cap
 * @returns whole milliseconds, >= 1, at most the cap
 * @throws RangeError when attempt < 1 or NaN: a caller's bug, never a failed delivery
 */
export function delayBeforeAttemptMs(attempt: number, policy: Backoff & { readonly jitter: Jitter }, random: number, retryAfterMs = 0): number {
  const drawnMs = drawDelayMs(fullDelayMs(attempt, policy), policy, random);
  return wholeMs(Math.min(Math.max(drawnMs, retryAfterMs), policy.maxDelayMs));
}

function fullDelayMs(attempt: number, { baseDelayMs, maxDelayMs }: Backoff): number {
  if (!(attempt >= 1)) throw new RangeError(`attempt must be >= 1, got ${attempt}`);
  // Clamp first: 2 ** 1024 is Infinity, and BullMQ would keep a job with that delay for ever.
  return Math.min(baseDelayMs * 2 ** (attempt - 1), maxDelayMs);
}

function drawDelayMs(fullMs: number, { jitter, maxDelayMs }: { readonly jitter: Jitter; readonly maxDelayMs: number }, random: number): number {
  const shortestMs = fullMs / 2;
  switch (jitter) {
    case 'none':
      return fullMs;
    case 'equal':
      return shortestMs + random * (fullMs - shortestMs);
    case 'full':
      // The cap limits the range of the draw, not its result. Otherwise half of all tasks would wait exactly the cap.
      return shortestMs + random * (Math.min(1.5 * fullMs, maxDelayMs) - shortestMs);
  }
}

/**
 * Rounds a wait up to whole milliseconds, so that nothing is early.
 * 2007.0000000000002 (which is 2.007 * 1000 in floating point) is 2007; 70.001 is 71; 1e-9 is 1.
 */
export function wholeMs(ms: number): number {
  // Nearly every wait is whole already, and to print and read a number took 0.9 us of the 100 us that a delivery takes.
  return Number.isInteger(ms) ? ms : Math.ceil(Number(ms.toPrecision(15)));
}

/**
 * Wait before a task that stalled is sent again: a random time up to 1 s, 2 s, 4 s, ... 5 min with the defaults. So
 * innocent tasks that died together with a poison task come back apart from it. When the waits were at least half of the
 * full one, a tenth of the poison tasks on a lone worker took one of a hundred tasks of 30 s along to the twelfth stall.
 *
 * @param repetition  0 for the first such wait
 * @param random      in [0, 1)
 * @returns whole milliseconds, at least 1
 */
export function scatteredDelayMs(repetition: number, policy: Backoff, random: number): number {
  return wholeMs(wholeMs(fullDelayMs(repetition + 1, policy)) * (1 - random));
}

/**
 * Wait before a task that this process cannot handle is tried again: 30 s, 1 min, ... 10 min with the defaults, each
 * shortened by up to half at random.
 *
 * @param repetition  0 for the first such wait
 * @param random      in [0, 1)
 * @returns whole milliseconds, at least half of the full wait
 */
export function growingDelayMs(repetition: number, policy: Backoff, random: number): number {
  const fullMs = wholeMs(fullDelayMs(repetition + 1, policy));
  return wholeMs(fullMs * (1 - random / 2));
}
