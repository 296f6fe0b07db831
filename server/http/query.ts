import { RequestError } from '../../shared/domain/errors.js';
import { nearestName } from './nearest-name.js';

/** The parameters behind `?`, by name. */
export type Query = ReadonlyMap<string, string>;

export const NO_QUERY: Query = new Map();

/** How many names an error text lists: it goes back to the client that sent them. */
const SHOWN_CHARACTERS = 100;

/**
 * @param search the part of the address behind the `?`
 * @param known  names that the route takes
 * @throws RequestError invalid_request for every unknown name, and for a name that stands twice: one of the two would
 *         be dropped in silence
 */
export function parseQuery(search: string, known: readonly string[]): Query {
  const query = new Map<string, string>();
  const faults = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    const shown = JSON.stringify(name.slice(0, SHOWN_CHARACTERS).toWellFormed());
    if (!known.includes(name)) faults.set(name, `the parameter ${shown} is not known here${hintFor(name, known)}`);
    else if (query.has(name)) faults.set(name, `the parameter ${shown} stands there twice`);
    else query.set(name, value);
  }
  if (faults.size === 0) return query;
  // Thousands of them fit into one address. The first few are enough to find the mistake.
  const details = [...faults].slice(0, 10).map(([name, message]) => ({ field: name.slice(0, SHOWN_CHARACTERS).toWellFormed(), message }));
  throw new RequestError('invalid_request', details.map(({ message }) => message).join('; '), details);
}

function hintFor(name: string, known: readonly string[]): string {
  if (known.length === 0) return ': none is taken';
  const nearest = nearestName(name, known);
  return nearest === undefined ? `; known: ${known.join(', ')}` : `: did you mean ${nearest}?`;
}
