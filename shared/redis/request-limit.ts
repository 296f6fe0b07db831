import { withinLimit } from '../lifecycle/time-limit.js';

/**
 * The longest time that a request of the API waits for Redis, all its rounds together, ms. It is longer than the limit of
 * one command. On a cluster ioredis sends a command up to six times, and gives each round a limit of its own: a POST took
 * up to 6.6 s while a master was frozen. It leaves an answer 0.15 s for what it can do without: see FleetSettings.
 */
export const REQUEST_LIMIT_MS = 850;

/** Redis has not answered a request in time. What was asked may still be done. */
class RequestLimitReached extends Error {
  override readonly name = 'RequestLimitReached';
}

/** How often a limit that may be longer is looked at again, ms. */
const LOOK_AGAIN_MS = 50;

/**
 * The outcome of `work`, or an error after the limit. The work itself cannot be stopped: Redis may have got it.
 * @param limitMs  what is left of the request's time; 0 or less: only an answer that is there already counts
 * @param longestMs the limit as long as `mayWait` says so
 * @throws RequestLimitReached
 */
export async function withinRequestLimit<T>(work: Promise<T>, limitMs = REQUEST_LIMIT_MS, longestMs = limitMs, mayWait = (): boolean => false): Promise<T> {
  const startedAt = performance.now();
  const moreMs = (): number => (mayWait() ? Math.min(LOOK_AGAIN_MS, Math.ceil(startedAt + longestMs - performance.now())) : 0);
  return withinLimit(work, Math.max(0, limitMs), () => new RequestLimitReached('redis has not answered within the time of a request'), moreMs);
}
