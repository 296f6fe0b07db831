import type { RateLimit } from '../../shared/domain/access/rate-limit.js';
import type { RequestContext } from '../http/request-context.js';
import type { RequestCheck } from '../http/request-pipeline.js';
import type { RateLimiter } from './rate-limiter.js';

/**
 * Adds the rate limit of the key to a check of access. Every call of a key takes one, also a call that the key may not make, or that is
 * refused later. A batch takes one more by itself for each task behind its first. Only requests of limited keys wait, and only the first one of them.
 * @returns a check that also throws rate_limited
 */
export function withRateLimit(check: RequestCheck, limiter: RateLimiter): RequestCheck {
  return (context) => {
    let checked: undefined | Promise<void>;
    try {
      checked = check(context);
    } catch (thrown) {
      return settled(context, limiter, thrown);
    }
    if (checked === undefined) return settled(context, limiter, undefined);
    return checked.then(
      () => settled(context, limiter, undefined),
      (refusal: unknown) => settled(context, limiter, refusal),
    );
  };
}

/** @param thrown by the check of access; undefined: nothing was */
function settled(context: RequestContext, limiter: RateLimiter, thrown: unknown): undefined | Promise<void> {
  const refusal = thrown === undefined || thrown instanceof Error ? thrown : new Error('access was not checked', { cause: thrown });
  const limit = context.knownCaller?.rateLimit;
  if (limit === undefined) {
    if (refusal !== undefined) throw refusal;
    return undefined;
  }
  const ready = limiter.ready(limit);
  if (ready !== undefined) return ready.then(() => take(context, limiter, limit, refusal));
  take(context, limiter, limit, refusal);
  return undefined;
}

function take(context: RequestContext, limiter: RateLimiter, limit: RateLimit, refusal: Error | undefined): void {
  try {
    limiter.take(limit);
    if (refusal !== undefined) throw refusal;
  } finally {
    showRateLimit(context, limiter, limit);
  }
}

/** For a route that finds out by itself whose call it is. @throws RequestError rate_limited */
export async function takeOne(context: RequestContext, limiter: RateLimiter, limit: RateLimit): Promise<void> {
  await limiter.ready(limit);
  take(context, limiter, limit, undefined);
}

/** Every answer to a limited key says what is left, a refusal too. */
export function showRateLimit(context: RequestContext, limiter: RateLimiter, limit: RateLimit): void {
  context.answerHeaders = limiter.headers(limit);
}
