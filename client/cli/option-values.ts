import type { TaskFilter } from '../task-filter.js';
import type { OptionRow, OptionValues } from './command.js';
import { errorCodes } from './error-codes.js';
import { UsageError } from './exit-codes.js';

/** Fields by which tasks are found: an option each, with `-` for `_`. */
const filterFields = ['state', 'id', 'client_id', 'source', 'flow_key', 'destination', 'destination_type', 'error_code', 'http_status', 'attempts', 'dead_reason', 'created_at', 'updated_at', 'next_attempt_at', 'finished_at', 'bulk_action_id'] as const;

const states = ['scheduled', 'delivering', 'retrying', 'dead_lettering', 'delivered', 'dead_lettered', 'parked', 'cancelled', 'waiting'];

const optionOf = (field: string): string => field.replaceAll('_', '-');

/** `--q`, and one option for each field. Their values are those of the filter language. */
export const filterOptions: Readonly<Record<string, OptionRow>> = {
  q: { type: 'string', value: '<query>', help: 'a query: state:parked client_id:shop created_at:>-1h' },
  ...Object.fromEntries(filterFields.map((field) => [optionOf(field), { type: 'string', value: '<value>', help: `tasks whose ${field} matches`, ...(field === 'state' ? { words: states } : field === 'error_code' ? { words: errorCodes } : {}) } satisfies OptionRow])),
  data: { type: 'string', multiple: true, value: '<path>=<value>', help: 'tasks whose message has this value; may stand several times' },
};

/**
 * The filter that the options say. An empty value is refused: `--client-id "$CLIENT"` must not mean all tasks.
 * @throws UsageError
 */
export function filterOf(values: OptionValues): TaskFilter {
  const filter: Record<string, string> = {};
  for (const field of ['q', ...filterFields]) {
    const value = textOf(values, optionOf(field));
    if (value !== undefined) filter[field === 'destination' ? 'destination_key' : field] = value;
  }
  for (const each of listOf(values, 'data')) {
    const at = each.indexOf('=');
    if (at < 1 || at === each.length - 1) throw new UsageError(`--data must be <path>=<value>, such as order.id=1001, got ${JSON.stringify(each)}`);
    const name = `data.${each.slice(0, at)}`;
    if (name in filter) throw new UsageError(`--data names ${JSON.stringify(each.slice(0, at))} twice`);
    filter[name] = each.slice(at + 1);
  }
  return filter;
}

/** @throws UsageError for an empty text */
export function textOf(values: OptionValues, name: string): string | undefined {
  const value = values[name];
  if (typeof value !== 'string') return undefined;
  if (value.trim() === '') throw new UsageError(`--${name} must not be empty`);
  return value;
}

export function listOf(values: OptionValues, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

export function isSet(values: OptionValues, name: string): boolean {
  return values[name] === true;
}

/** @throws UsageError */
export function numberOf(values: OptionValues, name: string, { least, most = Infinity, isWhole = false }: { readonly least: number; readonly most?: number; readonly isWhole?: boolean }): number | undefined {
  const text = textOf(values, name);
  if (text === undefined) return undefined;
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most && (!isWhole || Number.isInteger(number))) return number;
  throw new UsageError(`--${name} must be a ${isWhole ? 'whole ' : ''}number ${most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`}, got ${JSON.stringify(text)}`);
}

/** `30s`, `5m`, `1h`, `500ms` in milliseconds. @throws UsageError */
export function durationOf(values: OptionValues, name: string): number | undefined {
  const text = textOf(values, name);
  if (text === undefined) return undefined;
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (number === undefined) throw new UsageError(`--${name} must be a length of time such as 500ms, 30s, 5m or 1h, got ${JSON.stringify(text)}`);
  return Number(number) * (UNIT_MS[unit] ?? NaN);
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @throws UsageError */
export function oneOf<const Word extends string>(values: OptionValues, name: string, words: readonly Word[]): Word | undefined {
  const text = textOf(values, name);
  if (text === undefined) return undefined;
  const word = words.find((each) => each === text);
  if (word === undefined) throw new UsageError(`--${name} must be one of ${words.join(', ')}, got ${JSON.stringify(text)}`);
  return word;
}
