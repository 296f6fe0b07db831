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

/** Words that other systems use, by their letters, and the fields that are meant here. */
const otherWords: ReadonlyMap<string, FilterField> = new Map([
  ['status', 'state'],
  ['taskid', 'id'],
  ['tenant', 'client_id'],
  ['tenantid', 'client_id'],
  ['group', 'flow_key'],
  ['type', 'destination_type'],
  ['host', 'destination_key'],
  ['url', 'destination_key'],
  ['topic', 'destination_key'],
  ['endpoint', 'destination_key'],
  ['error', 'error_code'],
  ['code', 'error_code'],
  ['statuscode', 'http_status'],
  ['retries', 'attempts'],
  ['reason', 'dead_reason'],
  ['created', 'created_at'],
  ['updated', 'updated_at'],
]);

/** The same for states. */
const otherStates: ReadonlyMap<string, string> = new Map([
  ['dead', 'dead_lettered'],
  ['deadletter', 'dead_lettered'],
  ['dlq', 'dead_lettered'],
  ['failed', 'dead_lettered or parked'],
  ['done', 'delivered'],
  ['completed', 'delivered'],
  ['succeeded', 'delivered'],
  ['success', 'delivered'],
  ['sent', 'delivered'],
  ['pending', WAITING],
  ['queued', WAITING],
  ['delayed', WAITING],
  ['active', 'delivering'],
  ['running', 'delivering'],
  ['sending', 'delivering'],
]);

/** The field that is meant by a word of other systems: `status` -> `state`. */
export function fieldMeantBy(name: string): FilterField | undefined {
  return otherWords.get(lettersOf(name));
}

/** @returns such as `: did you mean dead_lettered?`, or nothing when no value is near */
export function hintForChoice(field: FilterField, text: string, choices: readonly string[]): string {
  const letters = lettersOf(text);
  const word = choices.find((each) => lettersOf(each) === letters) ?? (field === 'state' ? otherStates.get(letters) : undefined) ?? nearestOf(letters, choices);
  return word === undefined ? '' : `: did you mean ${word}?`;
}

/** @returns such as `: did you mean client_id?`, or nothing when no name is near */
export function hintForName(name: string): string {
  const meant = fieldMeantBy(name) ?? nearestOf(name.slice(0, LONGEST).toLowerCase(), [...filterNames, 'data.<path>']);
  return meant === undefined ? '' : `: did you mean ${meant}?`;
}

const LONGEST = 40;

function lettersOf(text: string): string {
  return text.slice(0, LONGEST).toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** At most a third of its letters is wrong. */
function nearestOf(text: string, known: readonly string[]): string | undefined {
  const near = known.map((each) => ({ each, distance: editDistance(text, each) })).sort((a, b) => a.distance - b.distance)[0];
  return near !== undefined && near.distance <= Math.max(1, Math.floor(near.each.length / 3)) ? near.each : undefined;
}

function isFilterField(name: string): name is FilterField {
  return Object.hasOwn(filterFields, name);
}
