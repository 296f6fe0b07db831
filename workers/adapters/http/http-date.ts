const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const month = `(?<month>${monthNames.join('|')})`;
const time = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})';
const forms = [
  // Sun, 06 Nov 1994 08:49:37 GMT. One digit for the day is not legal, but its meaning is clear.
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\\d{1,2}) ${month} (?<year>\\d{4}) ${time} GMT$`, 'i'),
  // RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d{2})-${month}-(?<year>\\d{2}) ${time} GMT$`, 'i'),
  // asctime: Sun Nov  6 08:49:37 1994, in UTC by definition
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} {1,2}(?<day>\\d{1,2}) ${time} (?<year>\\d{4})$`, 'i'),
];

/**
 * A date of a header in one of the three forms of RFC 9110 (5.6.7). Not Date.parse: it reads a date into almost
 * anything (`-5` is the year 2001 to it), takes asctime for local time, and 76 for 1976 for ever. Names may be in any case,
 * and GMT is the only zone (RFC 9111, 4.2).
 *
 * @param nowMs  milliseconds since the epoch; it tells the century of a year of two digits
 * @returns milliseconds since the epoch; undefined for another form, and for a time that no clock shows
 */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  for (const form of forms) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) return fromParts(parts, nowMs);
  }
  return undefined;
}

function fromParts(parts: Readonly<Record<string, string>>, nowMs: number): number | undefined {
  const number = (name: string): number => Number(parts[name]);
  const [day, hour, minute, second] = [number('day'), number('hour'), number('minute'), number('second')];
  const monthIndex = monthNames.findIndex((name) => name.toLowerCase() === parts['month']?.toLowerCase());
  const digits = number('year');
  const year = parts['year']?.length === 2 ? fullYear(digits, nowMs) : digits;
  // 60 is a leap second.
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year, monthIndex, day);
  // 30 February would be 2 March.
  if (date.getUTCDate() !== day || date.getUTCMonth() !== monthIndex) return undefined;
  return date.setUTCHours(hour, minute, second);
}

/** RFC 9110 (5.6.7): a year that seems to be more than 50 years in the future is the latest past one with these digits. */
function fullYear(digits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - thisYear % 100 + digits;
  if (year > thisYear + 50) return year - 100;
  return year + 100 <= thisYear + 50 ? year + 100 : year;
}
