import type { FilterField } from './filter-fields.js';

/** One condition of a filter, as plain JSON. */
export interface Condition {
  readonly field: FilterField;
  /** The keys that lead to the value in the message, for `data`: `['items', '0', 'sku']`. */
  readonly path?: readonly string[];
  /** The task must not match. */
  readonly isNegated: boolean;
  /** One of these must match. There is at least one. */
  readonly values: readonly FilterValue[];
}

export type FilterValue =
  | { readonly kind: 'text'; readonly text: string }
  /** Values that begin with the text. */
  | { readonly kind: 'prefix'; readonly text: string }
  /** A number or an instant between two ends, of which one may be missing. A single value has both ends, the same. */
  | { readonly kind: 'range'; readonly min?: Bound; readonly max?: Bound }
  /** The task has any value. It stands alone. */
  | { readonly kind: 'exists' };

export type Range = Extract<FilterValue, { kind: 'range' }>;

export interface Bound {
  /** A number; of a time milliseconds since the epoch, or from now if it is relative. */
  readonly at: number;
  readonly isRelative: boolean;
  /** The bound itself is outside. */
  readonly isOpen: boolean;
}

/** @param now milliseconds since the epoch */
export function withFixedTimes(value: FilterValue, now: number): FilterValue {
  if (value.kind !== 'range') return value;
  const { min, max } = value;
  return { kind: 'range', ...(min === undefined ? {} : { min: fixed(min, now) }), ...(max === undefined ? {} : { max: fixed(max, now) }) };
}

function fixed(bound: Bound, now: number): Bound {
  return bound.isRelative ? { ...bound, at: bound.at + now, isRelative: false } : bound;
}
