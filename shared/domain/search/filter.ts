import { withFixedTimes, type Bound, type Condition, type FilterValue, type Range } from './condition.js';
import { filterFieldNamed, filterFields, filterNames, hintForName, type FilterField } from './filter-fields.js';
import { FilterReader, invalidQuery } from './filter-reader.js';
import { printLength } from './parse-bound.js';

/**
 * What tasks are looked for. All conditions must match; none at all matches every task. It is plain JSON, so that it can be
 * stored and handed to a script.
 */
export type Filter = readonly Condition[];

const MOST_CHARACTERS = 2_000;
const MOST_TERMS = 20;
const MOST_LITERALS = 50;
/** Of all members together, code points. A url holds about as many, and 50 ids of 255 characters fit. */
const MOST_CHARACTERS_IN_ALL = 16_384;

/**
 * Reads a query: `state:parked client_id:acme,"b c" -http_status:4xx created_at:>-1h data.order.id:1001`.
 * docs/API.md has its grammar.
 * @param field the name of the parameter or member that it comes from
 * @throws RequestError invalid_query with one detail: field, message and position (code points from 0)
 */
export function parseQuery(q: string, field = 'q'): Filter {
  checkText(q, field);
  const reader = new FilterReader(q, field);
  reader.skipSpaces();
  if (reader.isAtEnd()) throw invalidQuery(field, q, 0, 'a query must not be empty: leave it out to find all tasks');
  const filter: Condition[] = [];
  while (!reader.isAtEnd()) {
    if (filter.length === MOST_TERMS) throw reader.faultHere(`at most ${MOST_TERMS} terms may stand in a query`);
    filter.push(reader.term());
    reader.skipSpaces();
  }
  return filter;
}

/**
 * Reads all members of a filter object, or all parameters of a request. Redis tries each condition on each task, so they are
 * bounded together, too: as many conditions as a query may have, and 16,384 characters of names and texts.
 *
 * @param members names and values, as for parseFilterMember
 * @param fieldOf how errors name a member
 * @throws RequestError invalid_query as parseQuery; for a filter that is too large it names the member that is too much
 */
export function parseFilterMembers(members: readonly (readonly [name: string, value: unknown])[], fieldOf: (name: string) => string = (name) => name): Filter {
  const filter: Condition[] = [];
  let characters = 0;
  for (const [name, value] of members) {
    const field = fieldOf(name);
    filter.push(...parseFilterMember(name, value, field));
    if (filter.length > MOST_TERMS) throw invalidQuery(field, '', 0, `is too much: at most ${MOST_TERMS} conditions may stand in a request, those of q included`);
    characters += charactersIn(name) + charactersIn(value);
    if (characters > MOST_CHARACTERS_IN_ALL) throw invalidQuery(field, '', 0, `is too much: all conditions of a request may have at most ${MOST_CHARACTERS_IN_ALL} characters together`);
  }
  return filter;
}

function charactersIn(value: unknown): number {
  if (Array.isArray(value)) return (value as readonly unknown[]).reduce<number>((sum, each) => sum + charactersIn(each), 0);
  return typeof value === 'string' ? [...value].length : 0;
}

/**
 * Reads one condition of a request: a parameter, or a member of a filter object.
 *
 * | value | matches |
 * |---|---|
 * | a text | what the same text matches behind `name:` in a query; commas divide values, and quotes hide them |
 * | an array of texts | any of these texts; no character in them has a meaning |
 * | null | tasks without a value |
 *
 * @param name  such as `client_id`, `data.order.id`; `q` is a whole query
 * @param value input from outside
 * @param field how errors name it
 * @throws RequestError invalid_query as parseQuery
 */
export function parseFilterMember(name: string, value: unknown, field = name): Filter {
  if (name === 'q') {
    if (typeof value !== 'string') throw invalidQuery(field, '', 0, 'must be a text');
    return parseQuery(value, field);
  }
  const { path, ...named } = fieldNamed(name, field);
  const place = { ...named, ...(path === undefined ? {} : { path }) };
  if (value === null) return [{ ...place, isNegated: true, values: [{ kind: 'exists' }] }];
  if (Array.isArray(value)) return [{ ...place, isNegated: false, values: literals(place.field, value, field) }];
  if (typeof value !== 'string') throw invalidQuery(field, '', 0, 'must be a text, an array of texts, or null');
  checkText(value, field);
  const reader = new FilterReader(value, field);
  const values = reader.values(place.field);
  reader.expectEnd();
  return [{ ...place, isNegated: false, values }];
}

/** Is it the name of a condition, as a parameter or in a filter object? */
export function isFilterName(name: string): boolean {
  return filterNames.includes(name) || name.startsWith('data.');
}

/** The query that means this filter: parseQuery of it gives the filter back. */
export function printFilter(filter: Filter): string {
  return filter.map(printCondition).join(' ');
}

/**
 * The same filter with all its times fixed: `created_at:>-1h` means an hour before `now` from then on.
 * @param now milliseconds since the epoch
 */
export function fixTimes(filter: Filter, now: number): Filter {
  return filter.map((condition) => ({ ...condition, values: condition.values.map((value) => withFixedTimes(value, now)) }));
}

function checkText(text: string, field: string): void {
  if (text.length > MOST_CHARACTERS && [...text].length > MOST_CHARACTERS) throw invalidQuery(field, text, 0, `must not be longer than ${MOST_CHARACTERS} characters`);
  if (!text.isWellFormed()) throw invalidQuery(field, text, 0, 'must be well-formed Unicode (it has half of a surrogate pair)');
}

function fieldNamed(name: string, field: string): { readonly field: FilterField; readonly path: readonly string[] | undefined } {
  if (name.startsWith('data.')) {
    checkText(name, field);
    const reader = new FilterReader(name.slice('data'.length), field);
    const path = reader.path();
    if (!reader.isAtEnd()) throw reader.faultHere('put quotes around a key that has other characters in it');
    return { field: 'data', path };
  }
  const known = name === 'data' ? undefined : filterFieldNamed(name);
  if (known === undefined) throw invalidQuery(field, name, 0, `${JSON.stringify(name.slice(0, 100).toWellFormed())} is no field that tasks are found by${hintForName(name)}`);
  return { field: known, path: undefined };
}

function literals(field: FilterField, values: readonly unknown[], member: string): readonly FilterValue[] {
  if (values.length === 0) throw invalidQuery(member, '', 0, 'must not be empty: null finds tasks without a value');
  if (values.length > MOST_LITERALS) throw invalidQuery(member, '', 0, `must not have more than ${MOST_LITERALS} texts`);
  return values.map((value, nth) => {
    const name = `${member}[${nth}]`;
    if (typeof value !== 'string') throw invalidQuery(name, '', 0, 'must be a text');
    checkText(value, name);
    return new FilterReader(value, name).literal(field, value, 0);
  });
}

function printCondition({ field, path, isNegated, values }: Condition): string {
  const name = path === undefined ? field : [field, ...path.map(printKey)].join('.');
  return `${isNegated ? '-' : ''}${name}:${printValues(field, values)}`;
}

/** The text that means these values behind the name of the field: `acme,"b c"`. */
export function printValues(field: FilterField, values: readonly FilterValue[]): string {
  return values.map((value) => printValue(field, value)).join(',');
}

function printKey(key: string): string {
  return /^[\w-]+$/.test(key) ? key : quoted(key);
}

function printValue(field: FilterField, value: FilterValue): string {
  switch (value.kind) {
    case 'exists':
      return '*';
    case 'prefix':
      return `${printText(value.text)}*`;
    case 'text':
      return printText(value.text);
    case 'range':
      return printRange(field, value);
  }
}

/** A text that looks like anything else stands in quotes. */
function printText(text: string): string {
  return /^[A-Za-z0-9_][\w:/@.-]*$/.test(text) && !text.includes('..') && !/^(?:OR|AND|NOT)$/.test(text) ? text : quoted(text);
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function printRange(field: FilterField, { min, max }: Range): string {
  if (min === undefined) return max === undefined ? '*' : `<${max.isOpen ? '' : '='}${printBound(field, max)}`;
  if (max === undefined) return `>${min.isOpen ? '' : '='}${printBound(field, min)}`;
  if (min.at === max.at && min.isRelative === max.isRelative) return printBound(field, min);
  return `${printBound(field, min)}..${printBound(field, max)}`;
}

function printBound(field: FilterField, { at, isRelative }: Bound): string {
  if (filterFields[field].kind !== 'time') return String(at);
  return isRelative ? printLength(at) : new Date(at).toISOString();
}
