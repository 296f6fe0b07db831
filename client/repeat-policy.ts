import { ApiError, NoAnswerError } from './api-error.js';

/** When a call is made again, and how long it waits before that. */

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
/** Where the answer asks for a longer wait than this, the caller has to decide: its call would seem to hang. The service asks for 60 s at most. */
const LONGEST_RETRY_AFTER_MS = 60_000;
/** With these codes of 503 nothing was done. With others, such as no_worker and redis_unavailable, that is not certain. */
const undone: ReadonlySet<string> = new Set(['overloaded', 'redis_full', 'redis_refused', 'task_unreadable']);

/** A 502 or 504 comes from a proxy that found no service behind it. @param isRepeatable false: only where it is certain that nothing was done */
export function isWorthRepeating(error: unknown, isRepeatable: boolean): boolean {
  if (error instanceof NoAnswerError) return isRepeatable || error.isUnsent;
  if (!(error instanceof ApiError) || asksForTooLong(error)) return false;
  if (error.status === 503) return isRepeatable || undone.has(error.code);
  // Nothing was done. A quota is used up for as long as tasks take, so its client has to decide.
  if (error.status === 429) return error.code !== 'quota_exceeded';
  return isRepeatable && (error.status === 502 || error.status === 504);
}

export function asksForTooLong({ retryAfterMs: asked = 0 }: ApiError): boolean {
  return asked > LONGEST_RETRY_AFTER_MS;
}

/** The wait doubles, and varies by half, so that many clients do not come back all at once. It is never shorter than what the answer asks for. */
export function waitMs(error: unknown, nth: number): number {
  const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
  const own = Math.min(FIRST_WAIT_MS * 2 ** nth, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
  return Math.max(asked, own);
}

/**
 * What Retry-After asks for: seconds, or a time (RFC 9110, 10.2.3), which counts from the time that the server itself gives.
 * @param now ms since the epoch
 * @returns ms; undefined where there is none, or it cannot be read
 */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const text = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  // Date.parse takes many other texts for times, such as "-5".
  const [until, from] = [Date.parse(text.endsWith(' GMT') ? text : ''), Date.parse(headers.get('date') ?? '')];
  return Number.isNaN(until) ? undefined : Math.max(0, until - (Number.isNaN(from) ? now : from));
}
