/**
 * What a field of a request may hold, as plain data. Three readers make something of it: the schema (joi, for all
 * complaints at once), the fast check, and the tables in the docs. So the three cannot differ.
 */
export type FieldCheck =
  /** At least one character, and no complaint from any of `checks`. `allowed`: the same in words, for the docs. */
  | { readonly kind: 'text'; readonly checks: readonly TextCheck[]; readonly maxCharacters?: number; readonly allowed: string }
  /** `above` excludes its bound, `min` and `max` include theirs. */
  | { readonly kind: 'number'; readonly min?: number; readonly above?: number; readonly max: number; readonly isWhole?: true }
  | { readonly kind: 'boolean' }
  /** `isText`: the answer to a value that is no text says both, that it is none and which texts there are. */
  | { readonly kind: 'choice'; readonly choices: readonly string[]; readonly isText?: true }
  /** A whole number from 1 to 65535, or the same in decimal digits. */
  | { readonly kind: 'port' }
  /** An object whose keys the client chooses: names pass `name`, values pass `value` and may be empty. */
  | { readonly kind: 'texts_by_name'; readonly name: readonly TextCheck[]; readonly value: readonly TextCheck[]; readonly maxNames: number; readonly allowed: string };

/**
 * @returns the complaint about a text, without the name of its field (`must not contain control characters`), or
 *          undefined when there is none
 */
export type TextCheck = (value: string) => string | undefined;

export const MAX_TEXT_CODE_POINTS = 255;

export const isWellFormed: TextCheck = (value) => (value.isWellFormed() ? undefined : 'must be well-formed Unicode (it has half of a surrogate pair)');
export const hasNoControls: TextCheck = (value) => (/\p{Cc}/u.test(value) ? 'must not contain control characters' : undefined);
// Counting code points takes an array of them; no text has more of them than UTF-16 units.
export const isShort: TextCheck = (value) =>
  value.length <= MAX_TEXT_CODE_POINTS || [...value].length <= MAX_TEXT_CODE_POINTS ? undefined : `must not be longer than ${MAX_TEXT_CODE_POINTS} characters`;

/** @param maxBytes of UTF-8 */
export const isAtMost = (maxBytes: number): TextCheck => (value) => (Buffer.byteLength(value) <= maxBytes ? undefined : `must not be larger than ${maxBytes} bytes`);

/** A name that people give: 1 to 255 code points of well-formed Unicode without control characters. */
export const nameCheck: FieldCheck = { kind: 'text', checks: [isWellFormed, hasNoControls, isShort], allowed: `1 to ${MAX_TEXT_CODE_POINTS} characters, no control characters` };
