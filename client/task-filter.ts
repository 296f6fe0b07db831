import type { Query } from './routes.js';

/**
 * Which tasks are meant. Each member is a text of the filter language (docs/API.md): `client_id: 'shop'`, `created_at: '>-1h'`, `id: 'order-*'`,
 * and `q` is a whole query. All of them must match. To name a value that may hold anything, use `literal`.
 */
export type TaskFilter = { readonly [Name in FieldName]?: string } & { readonly [path: `data.${string}`]: string };

/** Those of the contract. Beside them `data.order.id` names a field of the message. */
type FieldName = Exclude<keyof Query<'GET /counts'>, 'by' | 'cursor' | 'data.*'>;

/** A text that means itself, whatever it holds: `a,b*` -> `"a,b*"`. */
export function literal(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/**
 * Refuses a member that says nothing: an unset variable must not mean "all tasks".
 * @throws RangeError
 */
export function checkFilter(filter: Readonly<Record<string, unknown>>): void {
  // A caller without types may give undefined.
  const empty = Object.entries(filter).find(([, value]) => value === undefined || (typeof value === 'string' && value.trim() === ''));
  if (empty !== undefined) throw new RangeError(`the filter ${empty[0]} is ${empty[1] === undefined ? 'undefined' : 'empty'}: leave it out, or give it a value`);
}
