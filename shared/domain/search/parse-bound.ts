import { parseInstant } from '../parse-instant.js';
import type { Bound } from './condition.js';

/** One end of a range, or a single value, as its reader found it: a bound, or what is wrong with the text. */
export type ParsedBound = Omit<Bound, 'isOpen'> | string;

const LONGEST_MS = 3_155_760_000_000; // a hundred years
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** `404`; at most nine digits. */
export function parseNumber(text: string): ParsedBound {
  return /^\d{1,9}$/.test(text) ? { at: Number(text), isRelative: false } : 'must be a whole number of at most nine digits';
}

/**
 * An instant of RFC 3339 with its zone, a day (00:00 UTC), or a length from now with its sign.
 *
 * | text | means |
 * |---|---|
 * | `2026-11-28T12:00:00+01:00` | that instant |
 * | `2026-11-28` | 2026-11-28T00:00:00.000Z |
 * | `-1h`, `+30m` | an hour ago, in half an hour; also ms, s and d |
 */
export function parseTime(text: string): ParsedBound {
  const [, sign, number, unit = ''] = /^([+-]?)(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (sign === '') return `needs a sign: -${text} means that long ago, and +${text} from now on`;
  if (sign !== undefined) {
    const ms = Math.round(Number(number) * (UNIT_MS[unit] ?? NaN));
    return ms <= LONGEST_MS ? { at: sign === '-' ? -ms + 0 : ms, isRelative: true } : 'must not be further away than a hundred years';
  }
  const at = parseInstant(DAY.test(text) ? `${text}T00:00:00Z` : text);
  if (at !== undefined) return { at, isRelative: false };
  if (parseInstant(`${text}Z`) !== undefined) return `needs a zone: write ${text}Z for UTC, or ${text}+01:00`;
  return 'must be a time with its zone, such as 2026-11-28T12:00:00Z, a day, such as 2026-11-28 (00:00 UTC), or a length from now, such as -1h or +30m';
}

/** -3,600,000 -> `-1h`: the largest unit of which it is a whole number. 0 -> `+0ms`. */
export function printLength(ms: number): string {
  const [unit = 'ms', unitMs = 1] = Object.entries(UNIT_MS).findLast(([, each]) => ms % each === 0 && ms !== 0) ?? [];
  return `${ms < 0 ? '-' : '+'}${Math.abs(ms) / unitMs}${unit}`;
}
