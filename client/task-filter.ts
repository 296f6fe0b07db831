import type { QueryValue } from './api-calls.js';

/**
 * Which tasks are meant. Each member is a text of the filter language (docs/API.md): `client_id: 'shop'`, `created_at: '>-1h'`, `id: 'order-*'`,
 * and `q` is a whole query. All of them must match. To name a value that may hold anything, use `literal`.
 */
export type TaskFilter = Readonly<Partial<Record<TaskFilterName, string>>>;

export type TaskFilterName =
  | 'q'
  | 'state'
  | 'id'
  | 'client_id'
  | 'source'
  | 'flow_key'
  | 'destination_key'
  | 'destination_type'
  | 'error_code'
  | 'http_status'
  | 'attempts'
  | 'dead_reason'
  | 'created_at'
  | 'updated_at'
  | 'next_attempt_at'
  | 'finished_at'
  | 'bulk_action_id'
  | `data.${string}`;

/** A text that means itself, whatever it holds: `a,b*` -> `"a,b*"`. */
export function literal(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/**
 * A filter as the parameters of a list. An empty member is refused: an unset variable must not mean "all tasks".
 * @throws RangeError
 */
export function filterQuery(filter: TaskFilter): Record<string, QueryValue> {
  // A caller without types may give undefined.
  const entries = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const empty = entries.find(([, value]) => value.trim() === '');
  if (empty !== undefined) throw new RangeError(`the filter ${empty[0]} is empty: leave it out, or give it a value`);
  return Object.fromEntries(entries);
}
