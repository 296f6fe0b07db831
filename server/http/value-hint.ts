import { nearestNames, suggestionOf } from './nearest-name.js';

/*
 * What was meant by a value of the wrong form: a number in quotes, `5m` where seconds are wanted, `HTTP` for `http`. Of a value
 * only a number is repeated, since a text may be secret. Only what the field takes is offered.
 */

/** @returns what the field says of a value, without its name (`must be less than or equal to 100`); undefined when it takes it */
export type ComplaintAbout = (value: unknown) => string | undefined;

/** A schema of Joi. */
interface Schema {
  validate(value: unknown, options: { readonly convert: false; readonly errors: { readonly label: false } }): { readonly error?: { readonly message: string } | undefined };
}

/** @param schema of the field alone */
export function complaintsOf(schema: Schema): ComplaintAbout {
  return (value) => schema.validate(value, { convert: false, errors: { label: false } }).error?.message;
}

const NUMBER = /^[+-]?\d{1,15}(?:\.\d{1,9})?$/;
const LENGTH = /^\+?(\d{1,9}(?:\.\d{1,3})?) ?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)$/i;
const MILLISECONDS = /^(?:ms|milliseconds?)$/i;
/** By the first letter of a unit. */
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const BEGINS_LIKE_A_TIME = /^\d{4}-\d{2}-\d{2}/;
const SPACES_AROUND = /^\s+|\s+$/g;
/** No text that means a number, a length or a word of ours is longer. */
const MAX_CHARACTERS = 50;

/** @param isInSeconds the field is a length in seconds */
export function hintForNumber(value: unknown, complaintAbout: ComplaintAbout, { isInSeconds = false } = {}): string {
  const text = shortTextOf(value);
  if (text === undefined) return '';
  if (NUMBER.test(text)) return hintToWrite(Number(text), complaintAbout);
  if (!isInSeconds) return '';
  if (BEGINS_LIKE_A_TIME.test(text)) return ' of seconds, not a time';
  const [, length, unit = ''] = LENGTH.exec(text) ?? [];
  if (length === undefined) return ' of seconds';
  const unitSeconds = MILLISECONDS.test(unit) ? 0.001 : (SECONDS[unit.slice(0, 1).toLowerCase()] ?? NaN);
  return ` of seconds${hintToWrite(Number((Number(length) * unitSeconds).toFixed(6)), complaintAbout)}`;
}

function hintToWrite(number: number, complaintAbout: ComplaintAbout): string {
  const complaint = complaintAbout(number);
  return complaint === undefined ? `: write ${number} without quotes` : `, and ${complaint}`;
}

export function hintForBoolean(value: unknown): string {
  const word = shortTextOf(value)?.toLowerCase();
  return word === 'true' || word === 'false' ? `: write ${word} without quotes` : ': true or false';
}

/** @param words what other systems call them, by their letters */
export function hintForChoice(value: unknown, choices: readonly string[], words: ReadonlyMap<string, string> = new Map()): string {
  const text = shortTextOf(value);
  if (text === undefined) return '';
  const word = words.get(text.toLowerCase());
  return suggestionOf(word !== undefined && choices.includes(word) ? [word] : nearestNames(text, choices));
}

/** A text may be any, so a number or a boolean lacks no more than its quotes. */
export function hintForText(value: unknown, complaintAbout: ComplaintAbout): string {
  if (typeof value !== 'number' && typeof value !== 'boolean') return '';
  const complaint = complaintAbout(String(value));
  return complaint === undefined ? ': write it in quotes' : `, and ${complaint}`;
}

function shortTextOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= MAX_CHARACTERS ? value.replace(SPACES_AROUND, '') : undefined;
}
