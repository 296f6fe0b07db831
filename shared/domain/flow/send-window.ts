/**
 * How many sends at once a destination has shown to bear: slow start, known from TCP. A destination that nothing is
 * known of gets a few sends; each answer lets one more in, so the number doubles with each round trip. When it falls
 * ill, only the few that are in flight are lost to it, however many slots the worker has.
 */
const FIRST_WINDOW = 16;
const SMALLEST_WINDOW = 2;
/** Fewer failures in a row are an accident of single tasks; every tenth failing makes three in a row one time in 1,000. */
const FAILURES_OF_THE_ILL = 3;
/**
 * Silence is no failure: a receiver that takes seconds gets its share all the same, half a second later. By then most
 * that are down have answered, or refused; of one that only hangs, those in flight cost no attempt (outcome.ts: circuit_opened_during_send).
 */
const SILENCE_MS = 125;
/** What was known of a destination that long ago is not known any more, milliseconds. */
const REMEMBERED_IDLE_MS = 30_000;

/**
 * What a destination that nothing is known of gets from one worker: the fleet shares it, or each further worker would
 * lose as many attempts to a receiver that is down. 16 for one worker, 8 for two, never less than 2.
 */
export function firstWindow(workers: number): number {
  return Math.max(2, Math.ceil(FIRST_WINDOW / workers));
}

/**
 * A destination whose window is full of sends that nobody answers, and that has not failed lately.
 * @param silentMs since its oldest send began, or since the window grew last, whichever is later
 */
export function windowInSilence(window: number, inFlight: number, failuresInARow: number, silentMs: number, most: number): number {
  return inFlight >= window && failuresInARow === 0 && silentMs >= SILENCE_MS ? Math.min(window * 2, most) : window;
}

/**
 * @param inFlight         sends in flight when the answer came, this one included
 * @param failuresInARow   0: it was a success
 * @param most             no destination can use more: the slots of the process
 */
export function windowAfter(window: number, inFlight: number, failuresInARow: number, most: number): number {
  if (failuresInARow >= FAILURES_OF_THE_ILL) return Math.min(window, Math.max(SMALLEST_WINDOW, Math.floor(window / 2)));
  // A window that is not used proves nothing.
  if (failuresInARow === 0 && inFlight * 2 >= window) return Math.min(window + 1, most);
  return window;
}

/** @param idleMs since its last send ended; 0 while one is under way */
export function windowAtStart(window: number, idleMs: number, first: number): number {
  return idleMs > REMEMBERED_IDLE_MS ? Math.min(window, first) : window;
}
