/**
 * The rule for a field of a request, as plain data. Three readers use it: the schema (joi, which collects all
 * complaints), the fast check, and the tables in the docs. So the three cannot differ.
 */
export type FieldCheck =
  /** At least one character, and no complaint from any of `checks`. `allowed` says the same in words, for the docs. */
  | { readonly kind: 'text'; readonly checks: readonly TextCheck[]; readonly maxCharacters?: number; readonly allowed: string }
  /** `above` excludes its bound; `min` and `max` include theirs. */
  | { readonly kind: 'number'; readonly min?: number; readonly above?: number; readonly max: number; readonly isWhole?: true }
  | { readonly kind: 'boolean' }
  /** `isText`: the complaint about a value that is no text also lists the allowed texts. */
  | { readonly kind: 'choice'; readonly choices: readonly string[]; readonly isText?: true }
  /** A whole number from 1 to 65535, or the same number in decimal digits. */
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
// Counting code points needs an array of them, which takes seconds for a text of 6 MiB. A code point has one or two UTF-16
// units, so most texts are not counted.
export const isShort: TextCheck = (value) =>
  value.length <= MAX_TEXT_CODE_POINTS || (value.length <= 2 * MAX_TEXT_CODE_POINTS && [...value].length <= MAX_TEXT_CODE_POINTS) ? undefined : `must not be longer than ${MAX_TEXT_CODE_POINTS} characters`;

/** What GET /tasks/:id shows in place of a secret. */
export const HIDDEN_VALUE = '***';

/** A task that was read from GET /tasks/:id and is submitted again must not be sent with the marks in place of its secrets. */
export const isShownOpenly: TextCheck = (value) => (value === HIDDEN_VALUE ? `must not be ${HIDDEN_VALUE}, which stands for a value that is not shown: write the value itself` : undefined);

/** @param maxBytes of UTF-8 */
export const isAtMost = (maxBytes: number): TextCheck => (value) => (Buffer.byteLength(value) <= maxBytes ? undefined : `must not be larger than ${maxBytes} bytes`);

/**
 * Parsers of urls take `.` and `..` in a path for steps, however they are encoded: `/tasks/%2e%2e` is `/`. So browsers, fetch
 * and curl cannot ask for such a name. `%2e` as a name is different: it is written `%252e`, which no parser changes.
 */
export const isAddressable: TextCheck = (value) => (value === '.' || value === '..' ? 'must not be . or .., which no url can name' : undefined);

const nameChecks = [isWellFormed, hasNoControls, isShort] as const;
const allowedInNames = `1 to ${MAX_TEXT_CODE_POINTS} characters, no control characters`;

/** A name given by people: 1 to 255 code points of well-formed Unicode without control characters. */
export const nameCheck: FieldCheck = { kind: 'text', checks: nameChecks, allowed: allowedInNames };

/** A task that is called like everything would go past the limits of its endpoint and host, and could not be paused by itself. */
const isNotEverything: TextCheck = (value) => (value === '*' ? 'must not be *, which stands for every send' : undefined);

/** A name that is also a part of paths of the API, and is shown as *** where it has a secret. */
export const pathNameCheck: FieldCheck = { kind: 'text', checks: [...nameChecks, isAddressable, isNotEverything, isShownOpenly], allowed: `${allowedInNames}; not \`.\`, \`..\`, \`*\` or \`${HIDDEN_VALUE}\`` };
