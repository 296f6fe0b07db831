import { parseHttpDate } from './http-date.js';

/** One year. Longer waits are cut to it, so that adding the wait to a date stays exact. The task's own cap is far lower. */
const longestMs = 365 * 86_400_000;

/**
 * The wait from now that a Retry-After header asks for. `120` -> 120,000. `1.5` is not a legal value, but its meaning is
 * clear: 1,500. A date in the past -> 0.
 *
 * @param value  the header as it came: seconds, or a date of RFC 9110 (5.6.7)
 * @param nowMs  milliseconds since the epoch; only dates are measured against it
 * @returns whole milliseconds, 0..365 days, rounded up; undefined for anything else (`-5`, `soon`, an empty value)
 */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return clamp(Number(text) * 1_000);
  const dateMs = parseHttpDate(text, nowMs);
  return dateMs === undefined ? undefined : clamp(dateMs - nowMs);
}

function clamp(ms: number): number {
  return Math.ceil(Math.min(Math.max(ms, 0), longestMs));
}
