/**
 * May a fetched task start now? BullMQ hands out tasks first come, first served: without a rule, the tasks of one slow
 * destination take every slot of a worker, and all others wait. The rule is a dynamic threshold, known from the shared
 * buffers of network switches: a destination may hold as many slots as are still free. One busy destination gets half
 * of the slots, n busy ones get 1/(n + 1) each, and some are always free for a destination that has none yet.
 */
export interface BulkheadRules {
  /** Sends in flight of this process, all destinations together. */
  readonly slots: number;
  /** A destination may always have so many slots: where very many are slow, none is shut out. */
  readonly minimum: number;
  /**
   * Longest wait in its slot of a task that is over the threshold, ms. A fast destination has room again sooner than a
   * task can be put back and fetched again (about 1 ms of work for Redis and worker).
   */
  readonly holdMs: number;
  /** The same for a destination that has not answered yet. Its first answers will tell whether it is fast. */
  readonly firstHoldMs: number;
}

export const defaultBulkheadRules = { minimum: 2, holdMs: 250, firstHoldMs: 50 } as const;

/** How busy one destination is, as one process sees it. */
export interface DestinationLoad {
  readonly inFlight: number;
  /** Tasks that wait in their slots. */
  readonly held: number;
  /** Moving average of its sends, milliseconds; undefined: none has ended yet. */
  readonly latencyMs: number | undefined;
  /** Age of the send that has been under way longest, milliseconds; 0: none is. */
  readonly oldestMs: number;
  /** How many sends it has shown to bear: see send-window.ts. */
  readonly window: number;
}

/** holdMs: wait in the slot for at most this long. defer: put back, uncounted, and woken when there is room. */
export type Start = { readonly kind: 'start' } | { readonly kind: 'hold'; readonly holdMs: number } | { readonly kind: 'defer' };

/** @param inFlightTotal sends in flight of this process */
export function mayStart(load: DestinationLoad, inFlightTotal: number, rules: BulkheadRules): Start {
  if (load.inFlight < mostInFlight(load.window, inFlightTotal, rules)) return { kind: 'start' };
  const holdMs = load.latencyMs === undefined ? rules.firstHoldMs : rules.holdMs;
  if (load.oldestMs > holdMs) return { kind: 'defer' };
  if (load.latencyMs === undefined) return { kind: 'hold', holdMs };
  const expectedWaitMs = ((load.held + 1) * load.latencyMs) / Math.max(1, load.inFlight);
  return load.latencyMs <= holdMs && expectedWaitMs <= holdMs ? { kind: 'hold', holdMs } : { kind: 'defer' };
}

/** A woken task has arrived after this time, ms: a worker with a free slot has fetched it by then. */
const FETCHED_WITHIN_MS = 20;

/**
 * How many sends end while a woken task is on its way. For a fast destination so many tasks are woken ahead; otherwise its
 * slots would stand empty for that time after each send. A task that arrives too early is held in its slot. For a slow
 * destination it would be put back, so none is woken ahead.
 *
 * @returns 0 for a slow destination, or one that has not answered yet; 40 for 100 in flight that take 50 ms
 */
export function endingSoon({ inFlight, latencyMs }: Pick<DestinationLoad, 'inFlight' | 'latencyMs'>, { holdMs }: BulkheadRules): number {
  if (latencyMs === undefined || latencyMs > holdMs) return 0;
  return Math.ceil(inFlight * Math.min(1, FETCHED_WITHIN_MS / latencyMs));
}

/** How many sends one destination may have in flight, >= 1. */
export function mostInFlight(window: number, inFlightTotal: number, rules: BulkheadRules): number {
  return Math.min(window, threshold(inFlightTotal, rules));
}

/** How many slots one destination may have, >= rules.minimum. */
export function threshold(inFlightTotal: number, { slots, minimum }: BulkheadRules): number {
  return Math.max(minimum, slots - inFlightTotal);
}

/** Weight of the newest send in the average: about the last ten sends decide. */
const NEWEST_WEIGHT = 0.2;

export function averageLatencyMs(before: number | undefined, ms: number): number {
  return before === undefined ? ms : before + (ms - before) * NEWEST_WEIGHT;
}
