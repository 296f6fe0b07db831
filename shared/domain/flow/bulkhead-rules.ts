/**
 * May a fetched task start now? BullMQ hands out tasks first come, first served: without a rule, the tasks of one slow
 * endpoint take every slot of a worker, and all others wait. The rule is a dynamic threshold, known from the shared
 * buffers of network switches, in two levels.
 *
 * A host may hold as many slots as are still free. One busy host gets half of the slots, n busy ones get 1/(n + 1) each, and
 * some are always free for a host that has none yet. An endpoint may hold three times what its host has left. A lone endpoint gets
 * 3/7 of the slots, n busy ones of a host share half of them, and some of that half is always free for an endpoint that has
 * none yet.
 */
export interface BulkheadRules {
  /** Sends in flight of this process, all hosts together. */
  readonly slots: number;
  /** A host may always have so many slots: where very many are slow, none is shut out. */
  readonly minimum: number;
  /**
   * Longest wait in its slot of a task that is over the threshold, ms. A fast endpoint has room again sooner than a
   * task can be put back and fetched again (about 1 ms of work for Redis and worker).
   */
  readonly holdMs: number;
  /** The same for an endpoint that has not answered yet. Its first answers will tell whether it is fast. */
  readonly firstHoldMs: number;
}

export const defaultBulkheadRules = { minimum: 2, holdMs: 250, firstHoldMs: 50 } as const;

/** How busy one endpoint is, as one process sees it. */
export interface EndpointLoad {
  readonly inFlight: number;
  /** Tasks that wait in their slots. */
  readonly held: number;
  /** Moving average of its sends, milliseconds; undefined: none has ended yet. */
  readonly latencyMs: number | undefined;
  /** Age of the send that has been under way longest, milliseconds; 0: none is. */
  readonly oldestMs: number;
  /** Its oldest sends, several of them, take longer than a task may be held for, however fast those before them were. */
  readonly isHanging: boolean;
  /** How many sends it has shown to bear: see send-window.ts. */
  readonly window: number;
}

/** How busy its host is, all endpoints together. */
export interface HostLoad {
  readonly inFlight: number;
  readonly window: number;
}

/** holdMs: wait in the slot for at most this long. defer: put back, uncounted, and woken when there is room. */
export type Start = { readonly kind: 'start' } | { readonly kind: 'hold'; readonly holdMs: number } | { readonly kind: 'defer' };

/** @param inFlightTotal sends in flight of this process */
export function mayStart(endpoint: EndpointLoad, host: HostLoad, inFlightTotal: number, rules: BulkheadRules): Start {
  if (hasRoom(endpoint, host, inFlightTotal, rules)) return { kind: 'start' };
  const holdMs = endpoint.latencyMs === undefined ? rules.firstHoldMs : rules.holdMs;
  if (endpoint.oldestMs > holdMs) return { kind: 'defer' };
  if (endpoint.latencyMs === undefined) return { kind: 'hold', holdMs };
  const expectedWaitMs = ((endpoint.held + 1) * endpoint.latencyMs) / Math.max(1, endpoint.inFlight);
  return endpoint.latencyMs <= holdMs && expectedWaitMs <= holdMs ? { kind: 'hold', holdMs } : { kind: 'defer' };
}

/** An endpoint may hold so many times the slots that its host has left. */
const SHARE_OF_FREE = 3;
/** So many sends may be in flight to an endpoint whose host has used up its share, where `mayGoBeyond` says so. */
const ENDPOINT_MINIMUM = 2;
/** All endpoints of a host together may go beyond its share by half of this part of the slots. */
const BEYOND_PART = 1 / 16;
/** So many slots are never taken by a host beyond its share: they are the minimum of a host that has none yet. */
const KEPT_FOR_OTHERS = 2;

/** Whether one more send of the endpoint may start. */
export function hasRoom(endpoint: EndpointLoad, host: HostLoad, inFlightTotal: number, rules: BulkheadRules): boolean {
  if (endpoint.inFlight >= endpoint.window || host.inFlight >= host.window) return false;
  const free = freeOf(host, inFlightTotal, rules);
  if (free > 0) return endpoint.inFlight < SHARE_OF_FREE * free;
  return endpoint.inFlight < ENDPOINT_MINIMUM && mayGoBeyond(host, inFlightTotal, rules) && !isSlow(endpoint, rules);
}

/**
 * May an endpoint of this host start at all? A cheap question before that about each of its endpoints.
 * @returns false: not one of them may
 */
export function hasHostRoom(host: HostLoad, inFlightTotal: number, rules: BulkheadRules): boolean {
  return host.inFlight < host.window && (freeOf(host, inFlightTotal, rules) > 0 || mayGoBeyond(host, inFlightTotal, rules));
}

/** Its sends take longer than a task may be held for, or it is not known to be faster. */
export function isSlow({ latencyMs, oldestMs, isHanging }: Pick<EndpointLoad, 'latencyMs' | 'oldestMs' | 'isHanging'>, { holdMs, firstHoldMs }: BulkheadRules): boolean {
  if (isHanging) return true;
  return latencyMs === undefined ? oldestMs >= firstHoldMs : latencyMs > holdMs;
}

/**
 * The slots that a host has left of its share; below zero when it has more than that. It is reckoned from the slots alone:
 * the window of a host also ends it, but an endpoint that could have only three times the rest of a window would never
 * fill it, and a window that is not filled does not grow.
 */
function freeOf({ inFlight }: HostLoad, inFlightTotal: number, rules: BulkheadRules): number {
  return threshold(inFlightTotal, rules) - inFlight;
}

/**
 * May endpoints that have no more than one send in flight start although their host has used up its share? Ids in urls give an
 * endless supply of such endpoints, so all of them together have a bound, and other hosts keep their minimum.
 */
function mayGoBeyond(host: HostLoad, inFlightTotal: number, rules: BulkheadRules): boolean {
  if (inFlightTotal >= rules.slots - KEPT_FOR_OTHERS && host.inFlight >= KEPT_FOR_OTHERS) return false;
  // Each start takes two from what is free: one of the slots and one of the share.
  return freeOf(host, inFlightTotal, rules) > -Math.max(KEPT_FOR_OTHERS, Math.floor(rules.slots * BEYOND_PART));
}

/**
 * How many more sends of the endpoint may start, one after the other, while none ends. Each start takes two from what is free
 * for the host, because the host has one more and the worker one less.
 * @returns below zero when it has more than it may start now
 */
export function roomOfEndpoint(endpoint: EndpointLoad, host: HostLoad, inFlightTotal: number, rules: BulkheadRules): number {
  const free = freeOf(host, inFlightTotal, rules);
  const byShare = Math.ceil((SHARE_OF_FREE * free - endpoint.inFlight) / (2 * SHARE_OF_FREE + 1));
  const byMinimum = endpoint.inFlight < ENDPOINT_MINIMUM && hasRoom(endpoint, host, inFlightTotal, rules) ? 1 : byShare;
  return Math.min(endpoint.window - endpoint.inFlight, host.window - host.inFlight, Math.max(byShare, byMinimum));
}

/** The same for all endpoints of a host together. */
export function roomOfHost(host: HostLoad, inFlightTotal: number, rules: BulkheadRules): number {
  const byShare = Math.ceil(freeOf(host, inFlightTotal, rules) / 2);
  return Math.min(host.window - host.inFlight, hasHostRoom(host, inFlightTotal, rules) ? Math.max(1, byShare) : byShare);
}

/** A woken task has arrived after this time, ms: a worker with a free slot has fetched it by then. */
const FETCHED_WITHIN_MS = 20;

/**
 * How many sends end while a woken task is on its way. For a fast endpoint so many tasks are woken ahead; otherwise its
 * slots would stand empty for that time after each send. A task that arrives too early is held in its slot. For a slow
 * endpoint it would be put back, so none is woken ahead.
 *
 * @returns 0 for an endpoint that is slow, or was fast and hangs, or has not answered yet; 40 for 100 in flight that take 50 ms
 */
export function endingSoon({ inFlight, latencyMs, isHanging }: Pick<EndpointLoad, 'inFlight' | 'latencyMs' | 'isHanging'>, { holdMs }: BulkheadRules): number {
  if (latencyMs === undefined || latencyMs > holdMs || isHanging) return 0;
  return Math.ceil(inFlight * Math.min(1, FETCHED_WITHIN_MS / latencyMs));
}

/** How many slots one host may have, >= rules.minimum. */
export function threshold(inFlightTotal: number, { slots, minimum }: BulkheadRules): number {
  return Math.max(minimum, slots - inFlightTotal);
}

/** Weight of the newest send in the average: about the last ten sends decide. */
const NEWEST_WEIGHT = 0.2;

export function averageLatencyMs(before: number | undefined, ms: number): number {
  return before === undefined ? ms : before + (ms - before) * NEWEST_WEIGHT;
}
