/**
 * How many sends at once a destination has shown to bear: slow start, known from TCP. An unknown destination gets a few
 * sends. Each answer lets one more in, so the number doubles with each round trip. When the destination begins to fail,
 * only the few sends in flight lose an attempt, however many slots the worker has.
 */
const FIRST_WINDOW = 16;
const SMALLEST_WINDOW = 2;
/** Fewer failures in a row may be chance: where every tenth send fails, three in a row come one time in 1,000. */
const FAILURES_THAT_SHRINK = 3;
/**
 * After this time without an answer, ms, the window grows as if the sends had succeeded. So a slow receiver reaches its
 * full share after about 0.5 s. Most receivers that are down have refused a send by then. Of one that only hangs, the
 * sends in flight cost no attempt (circuit_opened_during_send in outcome.ts).
 */
const SILENCE_MS = 125;
/** A window that was not used for so long, ms, is forgotten: the destination may have changed. */
const REMEMBERED_IDLE_MS = 30_000;

/**
 * The window of an unknown destination, for one worker: 16 for one worker, 8 for each of two, never less than 2. The fleet
 * shares it; otherwise each further worker would lose as many attempts to a receiver that is down.
 */
export function firstWindow(workers: number): number {
  return Math.max(2, Math.ceil(FIRST_WINDOW / workers));
}

/**
 * The window of a destination that answers none of the sends that fill it, and that has not failed lately.
 * @param silentMs time since its oldest send began, or since the window last grew, whichever is shorter
 */
export function windowInSilence(window: number, inFlight: number, failuresInARow: number, silentMs: number, most: number): number {
  return mayGrowInSilence(window, inFlight, failuresInARow, most) && silentMs >= SILENCE_MS ? Math.min(window * 2, most) : window;
}

/** Is it full, so that it grows when nothing is heard for a while? */
export function mayGrowInSilence(window: number, inFlight: number, failuresInARow: number, most: number): boolean {
  return inFlight >= window && window < most && failuresInARow === 0;
}

/**
 * @param inFlight         sends in flight when the answer came, this one included
 * @param failuresInARow   0: it was a success
 * @param most             the slots of the process: no destination can use more
 */
export function windowAfter(window: number, inFlight: number, failuresInARow: number, most: number): number {
  if (failuresInARow >= FAILURES_THAT_SHRINK) return Math.min(window, Math.max(SMALLEST_WINDOW, Math.floor(window / 2)));
  // Answers prove nothing about a window that was not used.
  if (failuresInARow === 0 && inFlight * 2 >= window) return Math.min(window + 1, most);
  return window;
}

/** @param idleMs since its last send ended; 0 while one is under way */
export function windowAtStart(window: number, idleMs: number, first: number): number {
  return idleMs > REMEMBERED_IDLE_MS ? Math.min(window, first) : window;
}
