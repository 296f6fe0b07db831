/** Numbers and times as they are read at a glance. Everything here is pure. */

/** 1234567 -> `1,234,567`; null -> `–` */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : value.toLocaleString('en-US');
}

/** 12345 -> `12.3k`, for tiles and axes. */
export function shortCount(value: number): string {
  const [size, unit] = value >= 1e9 ? [1e9, 'G'] : value >= 1e6 ? [1e6, 'M'] : value >= 1e4 ? [1e3, 'k'] : [1, ''];
  const scaled = value / size;
  return `${scaled >= 100 || size === 1 ? Math.round(scaled).toLocaleString('en-US') : scaled.toFixed(1).replace(/\.0$/, '')}${unit}`;
}

/** 0.0123 -> `0.01`, 3.2 -> `3.2`, 1234.5 -> `1,235`: a rate a second. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (value === 0) return '0';
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value >= 1 ? value.toFixed(1) : value.toFixed(2);
}

const UNITS = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1_000, 's']] as const;

/** 61000 -> `1 min 1 s`, 350 -> `350 ms`; two units at most. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1).replace(/\.0$/, '')} s`;
  let rest = Math.round(ms / 1_000) * 1_000;
  const parts: string[] = [];
  for (const [size, unit] of UNITS) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole > 0) parts.push(`${whole} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

/** The steps of an axis of durations, in ms: whole ones of their unit. None is so far from the next that an axis could be left without a number. */
export const DURATION_STEPS: readonly number[] = [
  1, 2, 5, 10, 20, 50, 100, 200, 500,
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * 1_000),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 6, 12].map((hours) => hours * 3_600_000),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((days) => days * 86_400_000),
];

/** How long ago, or how soon: `3 s ago`, `in 2 min`. */
export function distance(at: number, now: number): string {
  const ms = at - now;
  if (Math.abs(ms) < 1_000) return 'now';
  const length = duration(Math.floor(Math.abs(ms) / 1_000) * 1_000);
  return ms < 0 ? `${length} ago` : `in ${length}`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** In the reader's own zone: `14:03:09` today, `27 Nov 14:03:09` on other days; `isExact`: `14:03:09.120` today. */
export function localTime(at: Date, now: Date, isExact = false): string {
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === now.toDateString()) return isExact ? `${time}.${String(at.getMilliseconds()).padStart(3, '0')}` : time;
  const day = `${at.getDate()} ${at.toLocaleString('en-US', { month: 'short' })}`;
  return `${day}${at.getFullYear() === now.getFullYear() ? '' : ` ${at.getFullYear()}`} ${time}`;
}

/** 0.273 -> `27 %`; what is more than nothing is never 0 */
export function percent(share: number): string {
  return share > 0 && share < 0.01 ? '<1 %' : `${Math.round(share * 100)} %`;
}

/** 1 -> `1 byte`, 84 -> `84 bytes`, 2048 -> `2 KiB` */
export function bytes(value: number): string {
  if (value < 1_024) return `${value} ${value === 1 ? 'byte' : 'bytes'}`;
  return value < 1_048_576 ? `${(value / 1_024).toFixed(1).replace(/\.0$/, '')} KiB` : `${(value / 1_048_576).toFixed(1).replace(/\.0$/, '')} MiB`;
}

interface RetryPolicy {
  readonly max_retries: number;
  /** s */
  readonly base_delay: number;
  /** s */
  readonly max_delay: number;
}

/** `none`, `1, after 2 s`, `5, the first after 2 s, at most 1 d apart` */
export function retriesText({ max_retries, base_delay, max_delay }: RetryPolicy): string {
  if (max_retries === 0) return 'none';
  const first = duration(Math.min(base_delay, max_delay) * 1_000);
  return max_retries === 1 ? `1, after ${first}` : `${max_retries}, the first after ${first}, at most ${duration(max_delay * 1_000)} apart`;
}

/** `dead_lettered` -> `dead-lettered`, `circuit_open` -> `circuit open` */
export function words(code: string): string {
  return code.replace(/^dead_letter/, 'dead-letter').replaceAll('_', ' ');
}

/** A key without the scheme that all share, shortened in the middle. */
export function shortKey(key: string, most = 60): string {
  const text = key.replace(/^https?:\/\//, '');
  return text.length <= most ? text : `${text.slice(0, Math.ceil(most / 2))}…${text.slice(-Math.floor(most / 2) + 1)}`;
}
