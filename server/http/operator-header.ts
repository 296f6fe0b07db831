import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';

const MAX_CHARACTERS = 100;
/** A header holds ASCII alone. The longest character of UTF-8 has four bytes, and each byte is written as `%F0`. */
const MAX_ENCODED = 12 * MAX_CHARACTERS;
const RULE = `the header X-Operator must be one name of 1 to ${MAX_CHARACTERS} characters, percent-encoded UTF-8 (J%C3%BCrgen for J\u00fcrgen), without control characters`;

/**
 * The name that the caller gives: the header X-Operator, `J%C3%BCrgen` -> `J\u00fcrgen`. It is a claim: a caller who may change
 * something may claim any name.
 * @returns null when there is none
 * @throws RequestError invalid_request
 */
export function operatorOf({ headersDistinct }: IncomingMessage): string | null {
  const values = headersDistinct['x-operator'];
  if (values === undefined) return null;
  const [text = '', ...others] = values;
  const name = others.length > 0 || text.length > MAX_ENCODED || !/^[\x20-\x7e]*$/.test(text) ? undefined : decoded(text);
  if (name === undefined || name.trim() === '' || /\p{Cc}/u.test(name) || [...name].length > MAX_CHARACTERS) throw new RequestError('invalid_request', RULE, [{ field: 'X-Operator', message: RULE }]);
  return name;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // a malformed escape, or bytes that are no UTF-8
  }
}
