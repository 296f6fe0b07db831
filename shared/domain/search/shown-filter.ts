import { shownFlowKey } from '../destinations/http.js';
import type { PathMask } from '../destinations/path-mask.js';
import { RequestError } from '../errors.js';
import { HIDDEN_VALUE } from '../field-check.js';
import { canonicalName } from '../flow/flow-key.js';
import type { Condition, FilterValue } from './condition.js';
import { parseFilterMember, printFilter, printValues, type Filter } from './filter.js';

/**
 * A filter object as it may be shown. People paste urls into filters, with passwords and tokens in them, so the names of destinations
 * are written as tasks are shown with them. The values that messages are to have stand as `***` for a reader who may not see messages.
 * All other members stay as they came.
 *
 * | member | shown |
 * |---|---|
 * | `destination_key: "https://user:password@a/x?token=1"` | `"https://a/x"` |
 * | `destination: ["https://user:password@a/x"]` | `["https://a/x"]` |
 * | `q: "destination_key:\"https://user:password@a/x\" state:parked"` | `"destination_key:https://a/x state:parked"` |
 * | `"data.order.id": "1001"` | `"\"***\""`, unless `showsMessages` |
 * | `q: "data.order.id:1001,1002* state:parked"` | `"data.order.id:\"***\",\"***\" state:parked"`, unless `showsMessages` |
 *
 * @param filter that was read before, with parseFilterMembers
 */
export function shownFilter(filter: Readonly<Record<string, unknown>>, reader: FilterReaderRights): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, shownMember(name, value, reader)]));
}

/** What the reader of a filter may see. */
export interface FilterReaderRights {
  readonly mask: PathMask;
  readonly showsMessages: boolean;
}

function shownMember(name: string, value: unknown, reader: FilterReaderRights): unknown {
  let conditions: Filter;
  try {
    conditions = parseFilterMember(name, value);
  } catch (error) {
    // A version with other rules has stored it.
    if (error instanceof RequestError) return HIDDEN_VALUE;
    throw error;
  }
  const shown = conditions.map((condition) => shownCondition(condition, reader));
  if (JSON.stringify(shown) === JSON.stringify(conditions)) return value;
  if (name === 'q') return printFilter(shown);
  const [{ field, values } = { field: 'destination_key', values: [] } as const] = shown;
  return Array.isArray(value) ? values.map((each) => (each.kind === 'text' ? each.text : HIDDEN_VALUE)) : printValues(field, values);
}

function shownCondition(condition: Condition, { mask, showsMessages }: FilterReaderRights): Condition {
  if (condition.field === 'data' && !showsMessages) return { ...condition, values: condition.values.map(hiddenValue) };
  const show = shows[condition.field];
  return show === undefined ? condition : { ...condition, values: condition.values.map((value) => shownValue(value, (name) => show(name, mask))) };
}

/** That a message has any value at all says no more than the name of the condition. */
function hiddenValue(value: FilterValue): FilterValue {
  return value.kind === 'exists' ? value : { kind: 'text', text: HIDDEN_VALUE };
}

function shownValue(value: FilterValue, show: (name: string) => string): FilterValue {
  switch (value.kind) {
    case 'text':
      return { kind: 'text', text: show(value.text) };
    case 'prefix':
      return { kind: 'prefix', text: OPEN_PASSWORD.test(value.text) ? HIDDEN_VALUE : show(value.text) };
    default:
      return value;
  }
}

/** The beginning of a url may end in its password, before the @ that would tell. Behind the colon of a host stands a port. */
const OPEN_PASSWORD = /[/\\]{2}[^[/\\?#@:]*:\d*[^\d/\\?#@][^/\\?#@]*$/;

const shows: Readonly<Partial<Record<Condition['field'], (name: string, mask: PathMask) => string>>> = {
  destination_key: (name, mask) => canonicalName(name, undefined, mask),
  flow_key: shownFlowKey,
};
