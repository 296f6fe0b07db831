import { editDistance } from '../edit-distance.js';
import { taskStates } from '../task/task.js';

/** The values that a field of a filter takes. */
export type FilterKind =
  /** Any text, compared exactly. `isPrefixable`: `x*` is taken too. */
  | { readonly kind: 'text'; readonly isPrefixable: boolean }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  /** Whole numbers and ranges of them. `hasClasses`: `5xx` stands for 500..599. */
  | { readonly kind: 'number'; readonly hasClasses: boolean }
  /** Instants, and ranges of them. */
  | { readonly kind: 'time' };

/** All waiting states together, as a value of `state`. */
export const WAITING = 'waiting';

const prefixable = { kind: 'text', isPrefixable: true } as const;
const exact = { kind: 'text', isPrefixable: false } as const;
const time = { kind: 'time' } as const;

/** A filter has the name of the field that a summary of a task shows. `data` has a path behind it: `data.order.id`. */
export const filterFields = {
  state: { kind: 'choice', choices: [WAITING, ...taskStates] },
  id: prefixable,
  client_id: prefixable,
  source: prefixable,
  flow_key: prefixable,
  destination_key: prefixable,
  destination_type: exact,
  error_code: exact,
  http_status: { kind: 'number', hasClasses: true },
  attempts: { kind: 'number', hasClasses: false },
  dead_reason: exact,
  created_at: time,
  updated_at: time,
  next_attempt_at: time,
  finished_at: time,
  bulk_action_id: exact,
  data: prefixable,
} as const satisfies Readonly<Record<string, FilterKind>>;

export type FilterField = keyof typeof filterFields;

/** Other names of fields. A url that was pasted into a parameter `destination` works. */
const otherNames: Readonly<Record<string, FilterField>> = { destination: 'destination_key' };

/** Every name of a filter that has no path, in the order of the docs. */
export const filterNames: readonly string[] = [...Object.keys(filterFields).filter((name) => name !== 'data'), ...Object.keys(otherNames)];

/** @returns undefined for a name of no field */
export function filterFieldNamed(name: string): FilterField | undefined {
  if (isFilterField(name)) return name;
  return Object.hasOwn(otherNames, name) ? otherNames[name] : undefined;
}

/** @returns such as `: did you mean client_id?`, or nothing when no name is near */
export function hintForName(name: string): string {
  const near = [...filterNames, 'data.<path>'].map((each) => ({ each, distance: editDistance(name.slice(0, 40).toLowerCase(), each) })).sort((a, b) => a.distance - b.distance)[0];
  return near !== undefined && near.distance <= Math.max(1, Math.floor(near.each.length / 3)) ? `: did you mean ${near.each}?` : '';
}

function isFilterField(name: string): name is FilterField {
  return Object.hasOwn(filterFields, name);
}
