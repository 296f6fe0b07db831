import { filterFields, type FilterField } from '../../../shared/domain/search/filter-fields.js';
import { parseQuery, printFilter, type Filter } from '../../../shared/domain/search/filter.js';
import type { Condition } from '../../../shared/domain/search/condition.js';
import { RequestError } from '../../../shared/domain/errors.js';

/** A query that a person typed: what it means, or where it is wrong. */
export type ReadQuery = { readonly filter: Filter } | { readonly complaint: string; readonly position: number };

/** An empty text means all tasks. */
export function readQuery(q: string): ReadQuery {
  if (q.trim() === '') return { filter: [] };
  try {
    return { filter: parseQuery(q) };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    const position = error.details?.[0]?.position ?? 0;
    return { complaint: error.message.replace(/^q at \d+: /, ''), position };
  }
}

/**
 * The query that also asks for these values. They are literal, whatever characters they hold: `x*` finds the client of that name.
 *
 * @param values null = the field has none
 */
export function withCondition(q: string, field: FilterField, values: readonly (string | number)[] | null): string {
  const read = readQuery(q);
  const others = 'filter' in read ? read.filter.filter((condition) => condition.field !== field) : [];
  return printFilter([...others, conditionOf(field, values)]);
}

/** The query without what it says of a field. */
export function withoutField(q: string, field: FilterField): string {
  const read = readQuery(q);
  return 'filter' in read ? printFilter(read.filter.filter((condition) => condition.field !== field)) : '';
}

/** The values of a field that the query asks for, when it names them one by one. */
export function valuesOf(q: string, field: FilterField): readonly string[] {
  const read = readQuery(q);
  if (!('filter' in read)) return [];
  const own = read.filter.filter((condition) => condition.field === field && !condition.isNegated);
  return own.length === 1 ? (own[0]?.values ?? []).flatMap((value) => (value.kind === 'text' ? [value.text] : [])) : [];
}

/** Whether tasks in the state may be found by the query. */
export function takesState(q: string, state: string): boolean {
  const read = readQuery(q);
  if (!('filter' in read)) return false;
  return read.filter.every(({ field, isNegated, values }) => field !== 'state' || values.some((value) => value.kind !== 'text' || value.text === state) !== isNegated);
}

function conditionOf(field: FilterField, values: readonly (string | number)[] | null): Condition {
  if (values === null) return { field, isNegated: true, values: [{ kind: 'exists' }] };
  const isNumber = filterFields[field].kind === 'number';
  return {
    field,
    isNegated: false,
    values: values.map((value) => {
      if (!isNumber) return { kind: 'text', text: String(value) };
      const bound = { at: Number(value), isRelative: false, isOpen: false };
      return { kind: 'range', min: bound, max: bound };
    }),
  };
}
