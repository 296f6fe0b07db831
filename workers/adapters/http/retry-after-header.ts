/** One year. Longer waits are cut to it, so that adding the wait to a date stays exact. The task's own cap is far lower. */
const longestMs = 365 * 86_400_000;

/**
 * The wait from now that a Retry-After header asks for. `120` -> 120,000. `1.5` is not a legal value, but its meaning is
 * clear: 1,500. A date in the past -> 0.
 *
 * @param value  the header as it came: seconds, or one of the three date forms of RFC 9110 (5.6.7)
 * @param nowMs  milliseconds since the epoch; only dates are measured against it
 * @returns whole milliseconds, 0..365 days, rounded up; undefined for anything else (`-5`, `soon`, an empty value)
 */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return clamp(Number(text) * 1_000);
  const dateMs = parseHttpDate(text);
  return dateMs === undefined ? undefined : clamp(dateMs - nowMs);
}

function clamp(ms: number): number {
  return Math.ceil(Math.min(Math.max(ms, 0), longestMs));
}

const day = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const longDay = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';
const month = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const time = '\\d{2}:\\d{2}:\\d{2}';
const datesWithZone = new RegExp(`^(?:${day}, \\d{2} ${month} \\d{4}|${longDay}, \\d{2}-${month}-\\d{2}) ${time} GMT$`);
const dateWithoutZone = new RegExp(`^${day} ${month} [ \\d]\\d ${time} \\d{4}$`);

/** The form is checked before Date.parse, which reads a date into almost anything: `-5` is the year 2001 to it. */
function parseHttpDate(text: string): number | undefined {
  let ms = NaN;
  if (datesWithZone.test(text)) ms = Date.parse(text);
  // The asctime form is in UTC by definition; without the zone Date.parse would take it for local time.
  else if (dateWithoutZone.test(text)) ms = Date.parse(`${text} GMT`);
  return Number.isNaN(ms) ? undefined : ms;
}
