import { RequestError } from '../../shared/domain/errors.js';
import { fieldMeantBy } from '../../shared/domain/search/filter-fields.js';
import { didYouMean, suggestionOf } from './nearest-name.js';

/** The parameters behind `?`, by name. */
export type Query = ReadonlyMap<string, string>;

export const NO_QUERY: Query = new Map();

/** How many names an error text lists: it goes back to the client that sent them. */
const SHOWN_CHARACTERS = 100;

/**
 * @param search the part of the address behind the `?`
 * @param known  names that the route takes; `data.*` stands for every name that begins with `data.`
 * @throws RequestError invalid_request for every unknown name, and for a name that stands twice: one of the two would
 *         be dropped in silence
 */
export function parseQuery(search: string, known: readonly string[]): Query {
  checkEncoding(search);
  const query = new Map<string, string>();
  const faults = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    const shown = JSON.stringify(name.slice(0, SHOWN_CHARACTERS).toWellFormed());
    if (!isKnown(name, known)) faults.set(name, `the parameter ${shown} is not known here${hintFor(name, known)}`);
    else if (query.has(name)) faults.set(name, `the parameter ${shown} stands there twice`);
    else query.set(name, value);
  }
  if (faults.size === 0) return query;
  // Thousands of them fit into one address. The first few are enough to find the mistake.
  const details = [...faults].slice(0, 10).map(([name, message]) => ({ field: name.slice(0, SHOWN_CHARACTERS).toWellFormed(), message }));
  throw new RequestError('invalid_request', details.map(({ message }) => message).join('; '), details);
}

/**
 * URLSearchParams replaces bytes that are no UTF-8, and leaves a % that begins no escape: a filter would look for another text, and find nothing.
 * @throws RequestError invalid_request
 */
function checkEncoding(search: string): void {
  if (!search.includes('%')) return;
  for (const part of search.split('&')) {
    if (isEncoded(part)) continue;
    const [name = ''] = part.split('=', 1);
    const message = `the parameter ${JSON.stringify(name.slice(0, SHOWN_CHARACTERS))} is not valid percent-encoding of UTF-8: write %25 for a percent sign`;
    throw new RequestError('invalid_request', message, [{ field: name.slice(0, SHOWN_CHARACTERS), message }]);
  }
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false; // a byte that is no UTF-8, or a % without two digits
  }
}

/**
 * The words of a parameter that takes several of them, divided by commas: `message_data`.
 * @param known words that it takes
 * @throws RequestError invalid_request for a word that is unknown, empty, or stands twice
 */
export function parseWords<const Word extends string>(query: Query, name: string, known: readonly Word[]): ReadonlySet<Word> {
  const text = query.get(name);
  const words = new Set<Word>();
  if (text === undefined) return words;
  for (const given of text.split(',')) {
    const word = known.find((each) => each === given);
    if (word === undefined || words.has(word)) {
      const shown = JSON.stringify(given.slice(0, SHOWN_CHARACTERS).toWellFormed());
      const message = word === undefined ? `${name} does not take ${shown}${hintFor(given, known)}` : `${shown} stands twice in ${name}`;
      throw new RequestError('invalid_request', message, [{ field: name, message }]);
    }
    words.add(word);
  }
  return words;
}

function isKnown(name: string, known: readonly string[]): boolean {
  return known.includes(name) || known.some((each) => each.endsWith('.*') && name.startsWith(each.slice(0, -1)));
}

function hintFor(name: string, known: readonly string[]): string {
  if (known.length === 0) return ': none is taken';
  const meant = fieldMeantBy(name);
  const hint = meant !== undefined && known.includes(meant) ? suggestionOf([meant]) : didYouMean(name, known);
  return hint === '' ? `; known: ${known.join(', ')}` : hint;
}
