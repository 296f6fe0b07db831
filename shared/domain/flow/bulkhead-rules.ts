/**
 * May a fetched task start now? BullMQ hands out tasks first come, first served: without a rule, the tasks of one slow
 * endpoint take every slot of a worker, and all others wait. The rule is a dynamic threshold, known from the shared
 * buffers of network switches, in two levels.
 *
 * A host may hold as many slots as are still free. One busy host gets half of the slots, n busy ones get 1/(n + 1) each, and
 * some are always free for a host that has none yet. An endpoint may hold three times what its host has left. A lone endpoint gets
 * 3/7 of the slots, n busy ones of a host share half of them, and some of that half is always free for an endpoint that has
 * none yet.
 *
 * An endpoint is quick when it is known to answer soon (isQuick). All others of a host, the slow ones and those that have not answered
 * yet, are unproven. Together they may hold six times what their host has left, 6/13 of the slots when nothing else is sent. So
 * however many of them there are, they leave slots to those that are quick. An endpoint that was never heard of finds out
 * in a try whether it is one of these: one send beyond that bound, or beyond the window of its host, which a slow endpoint may
 * have filled by itself.
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
  /** Its tasks that found no room since its last send began. */
  readonly refused: number;
}

/** How busy its host is, all endpoints together. */
export interface HostLoad {
  readonly inFlight: number;
  readonly window: number;
  /** Those of its sends in flight that go to unproven endpoints. */
  readonly unproven: number;
  /** Those of its sends in flight that are tries. */
  readonly tries: number;
  /** Its newest sends have failed by the fault of the host: one alone may be chance. */
  readonly hasFailed: boolean;
}

/** holdMs: wait in the slot for at most this long. defer: put back, uncounted, and woken when there is room. */
export type Start = { readonly kind: 'start' } | { readonly kind: 'hold'; readonly holdMs: number } | { readonly kind: 'defer' };

/** @param inFlightTotal sends in flight of this process */
export function mayStart(endpoint: EndpointLoad, host: HostLoad, inFlightTotal: number, rules: BulkheadRules): Start {
  if (hasRoom(endpoint, host, inFlightTotal, rules)) return { kind: 'start' };
  const holdMs = endpoint.latencyMs === undefined ? rules.firstHoldMs : rules.holdMs;
  if (endpoint.oldestMs > holdMs) return { kind: 'defer' };
  // It would wait for sends of other endpoints, which are slow, or nothing is known of them.
  if (endpoint.inFlight === 0 && !isQuick(endpoint, rules) && isFullOfUnproven(host, inFlightTotal, rules)) return { kind: 'defer' };
  if (endpoint.latencyMs === undefined) return { kind: 'hold', holdMs };
  const expectedWaitMs = ((endpoint.held + 1) * endpoint.latencyMs) / Math.max(1, endpoint.inFlight);
  return endpoint.latencyMs <= holdMs && expectedWaitMs <= holdMs ? { kind: 'hold', holdMs } : { kind: 'defer' };
}

/** An endpoint may hold so many times the slots that its host has left. */
const SHARE_OF_FREE = 3;
/** All unproven endpoints of a host together may hold so many times the slots that their host has left. */
const UNPROVEN_SHARE_OF_FREE = 6;
/**
 * Quick endpoints may go beyond the share of their host by half of this part of the slots, all together: they give a slot back
 * within a quarter of a second. Each of them may have a quarter of that, but two at least: otherwise one with 300 tasks a second
 * that answers in 50 ms would fall behind.
 */
const BEYOND_PART = 1 / 8;
const LEAST_BEYOND = 8;
/** Tries may go beyond the share of their host by half of this part of the slots. */
const TRIES_PART = 1 / 32;
const LEAST_TRIES = 4;
/** So many slots are never taken by a host beyond its share: they are the minimum of a host that has none yet. */
const KEPT_FOR_OTHERS = 2;
/** An endpoint that takes no longer on average, ms, may be tried again: a worker that has just started is busy, and measures its first sends too long. */
const TRIED_AGAIN_MS = 1_000;
/** So many sends may be tries beyond the window of their host. */
const TRIES_BEYOND_WINDOW = 4;
/** For the last try the endpoint must have been asked for 2 to this power of tasks. */
const HARDEST_TRY = 10;

/** Whether one more send of the endpoint may start. */
export function hasRoom(endpoint: EndpointLoad, host: HostLoad, inFlightTotal: number, rules: BulkheadRules): boolean {
  if (endpoint.inFlight >= endpoint.window) return false;
  if (host.inFlight >= host.window && !mayBeTriedBeyondWindow(endpoint, host, rules)) return false;
  if (endpoint.inFlight < SHARE_OF_FREE * freeOf(host, inFlightTotal, rules)) {
    if (isQuick(endpoint, rules) || !isFullOfUnproven(host, inFlightTotal, rules)) return true;
  }
  return isQuick(endpoint, rules)
    ? endpoint.inFlight < Math.max(2, (rules.slots * BEYOND_PART) / 4) && mayGoBeyond(host, inFlightTotal, rules)
    : mayBeTried(endpoint, host, inFlightTotal, rules);
}

/**
 * May an endpoint of this host start at all? A cheap question before that about each of its endpoints.
 * @returns false: not one of them may
 */
export function hasHostRoom(host: HostLoad, inFlightTotal: number, rules: BulkheadRules): boolean {
  return (host.inFlight < host.window || hasTriesBeyondWindow(host)) && (freeOf(host, inFlightTotal, rules) > 0 || mayGoBeyond(host, inFlightTotal, rules));
}

/** Do its unproven endpoints hold what they may hold together? One more of their sends is a try. */
export function isFullOfUnproven(host: HostLoad, inFlightTotal: number, rules: BulkheadRules): boolean {
  return host.unproven >= UNPROVEN_SHARE_OF_FREE * freeOf(host, inFlightTotal, rules);
}

/** It has answered, and soon enough for a task to be held meanwhile. */
export function isQuick({ latencyMs, isHanging }: Pick<EndpointLoad, 'latencyMs' | 'isHanging'>, { holdMs }: BulkheadRules): boolean {
  return latencyMs !== undefined && latencyMs <= holdMs && !isHanging;
}

/** unknown: it has not answered yet, and has had little time to do so. */
export type Speed = 'quick' | 'unknown' | 'slow';

export function speedOf(endpoint: Pick<EndpointLoad, 'latencyMs' | 'oldestMs' | 'isHanging'>, rules: BulkheadRules): Speed {
  if (isQuick(endpoint, rules)) return 'quick';
  return endpoint.latencyMs === undefined && endpoint.oldestMs < rules.firstHoldMs ? 'unknown' : 'slow';
}

/**
 * The slots that a host has left of its share; below zero when it has more than that. It is reckoned from the slots alone:
 * the window of a host also ends it, but an endpoint that could have only three times the rest of a window would never
 * fill it, and a window that is not filled does not grow.
 */
function freeOf({ inFlight }: HostLoad, inFlightTotal: number, rules: BulkheadRules): number {
  return threshold(inFlightTotal, rules) - inFlight;
}

/** May quick endpoints start although their host has used up its share? All of them together have a bound, and other hosts keep their minimum. */
function mayGoBeyond(host: HostLoad, inFlightTotal: number, rules: BulkheadRules): boolean {
  return isBeyondBy(host, inFlightTotal, rules, Math.max(LEAST_BEYOND, rules.slots * BEYOND_PART));
}

/** Each start takes two from what is free: one of the slots and one of the share. So `most` is twice the number of sends beyond the share. */
function isBeyondBy(host: HostLoad, inFlightTotal: number, rules: BulkheadRules, most: number): boolean {
  if (inFlightTotal >= rules.slots - KEPT_FOR_OTHERS && host.inFlight >= KEPT_FOR_OTHERS) return false;
  return freeOf(host, inFlightTotal, rules) > -most;
}

/**
 * May an unproven endpoint that has nothing in flight send one task, to find out whether it is quick? A host may have any number of
 * such endpoints, and the tries of slow ones take their time. So the more tries are under way, the more tasks of the endpoint must
 * have asked. That keeps the last tries for endpoints with much traffic, which have the most to gain.
 */
function mayBeTried({ inFlight, latencyMs, refused }: EndpointLoad, host: HostLoad, inFlightTotal: number, rules: BulkheadRules): boolean {
  if (inFlight > 0 || (latencyMs ?? 0) > TRIED_AGAIN_MS) return false;
  if (!isBeyondBy(host, inFlightTotal, rules, Math.max(LEAST_TRIES, rules.slots * TRIES_PART))) return false;
  const most = Math.max(3, rules.slots / 16);
  return refused + 1 >= 2 ** ((HARDEST_TRY * (host.tries + 1)) / (most + 1));
}

/**
 * May an endpoint that has nothing in flight send one task although the window of its host is full? The window of a new host is small, and
 * one slow endpoint fills it for as long as it takes to answer. What is known to be slow waits.
 */
function mayBeTriedBeyondWindow(endpoint: EndpointLoad, host: HostLoad, rules: BulkheadRules): boolean {
  return endpoint.inFlight === 0 && (endpoint.latencyMs === undefined || isQuick(endpoint, rules)) && hasTriesBeyondWindow(host);
}

/** The window of a host that fails has become small so that few tasks lose an attempt. */
function hasTriesBeyondWindow({ inFlight, window, hasFailed }: HostLoad): boolean {
  return !hasFailed && inFlight < window + TRIES_BEYOND_WINDOW;
}

/**
 * How many more sends of the endpoint may start, one after the other, while none ends. Each start takes two from what is free
 * for the host, because the host has one more and the worker one less.
 * @returns below zero when it has more than it may start now
 */
export function roomOfEndpoint(endpoint: EndpointLoad, host: HostLoad, inFlightTotal: number, rules: BulkheadRules): number {
  const free = freeOf(host, inFlightTotal, rules);
  const byEndpoint = Math.ceil((SHARE_OF_FREE * free - endpoint.inFlight) / (2 * SHARE_OF_FREE + 1));
  const byShare = isQuick(endpoint, rules) ? byEndpoint : Math.min(byEndpoint, Math.ceil((UNPROVEN_SHARE_OF_FREE * free - host.unproven) / (2 * UNPROVEN_SHARE_OF_FREE + 1)));
  const room = Math.min(endpoint.window - endpoint.inFlight, host.window - host.inFlight, byShare);
  return room <= 0 && hasRoom(endpoint, host, inFlightTotal, rules) ? 1 : room;
}

/** The same for all endpoints of its host together that are like it: quick, or unproven. */
export function roomOfHost(endpoint: EndpointLoad, host: HostLoad, inFlightTotal: number, rules: BulkheadRules): number {
  const free = freeOf(host, inFlightTotal, rules);
  const byShare = isQuick(endpoint, rules) ? Math.ceil(free / 2) : Math.ceil((UNPROVEN_SHARE_OF_FREE * free - host.unproven) / (2 * UNPROVEN_SHARE_OF_FREE + 1));
  const room = Math.min(host.window - host.inFlight, byShare);
  return room <= 0 && hasRoom(endpoint, host, inFlightTotal, rules) ? 1 : room;
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
/** Weight of one that was faster: a worker that is busy measures sends too long, and never too short. */
const FASTER_WEIGHT = 0.5;

export function averageLatencyMs(before: number | undefined, ms: number): number {
  return before === undefined ? ms : before + (ms - before) * (ms < before ? FASTER_WEIGHT : NEWEST_WEIGHT);
}
