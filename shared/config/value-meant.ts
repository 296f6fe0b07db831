import type { Variable } from './variable-kinds.js';

/** Words of other systems and what a variable of ours may have in their place. */
const otherWords: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ...['true', 'yes', 'y', '1', 'on', 'enabled', 'enable'].map((word) => [word, ['on', 'true']] as const),
  ...['false', 'no', 'n', '0', 'off', 'none', 'disabled', 'disable'].map((word) => [word, ['off', 'false']] as const),
  ['production', ['prod']],
  ['development', ['dev']],
  ['warning', ['warn']],
]);

const UNITS: ReadonlyMap<string, string> = new Map([
  ...['ms', 'millis', 'milliseconds'].map((word) => [word, 'ms'] as const),
  ...['', 's', 'sec', 'secs', 'second', 'seconds'].map((word) => [word, 's'] as const),
  ...['m', 'min', 'mins', 'minute', 'minutes'].map((word) => [word, 'm'] as const),
  ...['h', 'hr', 'hrs', 'hour', 'hours'].map((word) => [word, 'h'] as const),
  ...['d', 'day', 'days'].map((word) => [word, 'd'] as const),
]);

const BYTES: ReadonlyMap<string, number> = new Map([
  ...['k', 'kb', 'kib'].map((word) => [word, 2 ** 10] as const),
  ...['m', 'mb', 'mib'].map((word) => [word, 2 ** 20] as const),
  ...['g', 'gb', 'gib'].map((word) => [word, 2 ** 30] as const),
]);

/**
 * The value that was meant by one that a variable does not take: `production` -> `prod`, `30` -> `30s`, `1MB` -> `1048576`, `AUTH=true` -> `on`.
 * Only what the variable takes is named. Pure.
 */
export function valueMeant(text: string, { parse }: Pick<Variable<unknown>, 'parse'>): string | undefined {
  return spellings(text).find((each) => isTaken(each, parse));
}

function spellings(text: string): readonly string[] {
  const plain = text.trim().replace(/^(["'])(.*)\1$/, '$2').toLowerCase();
  const [, number = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?)[ _]?([a-z]*)$/.exec(plain) ?? [];
  const bytes = Number(number) * (BYTES.get(unit) ?? NaN);
  return [
    plain,
    ...(otherWords.get(plain) ?? []),
    ...(number !== '' && UNITS.has(unit) ? [`${number}${UNITS.get(unit)}`] : []),
    ...(number !== '' && Number.isInteger(bytes) ? [String(bytes)] : []),
    plain.replace(/(?<=\d)[,_.](?=\d{3}(?!\d))/g, ''),
  ];
}

function isTaken(text: string, parse: (text: string) => unknown): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}
