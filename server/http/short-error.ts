import type { WireViolation } from '../../shared/wire/error.js';

/*
 * An error is written for people, and it quotes names that the client has chosen. JSON may need six bytes for one
 * character. So the largest error has 20 x (150 + 250) x 6 + 2,000 x 6 bytes and its frame, which is less than 64 KiB.
 */

export const MAX_ERROR_CHARACTERS = 2_000;
/** More are not reported: they are enough to find the mistake. */
export const MAX_VIOLATIONS = 20;
const MAX_FIELD_CHARACTERS = 150;
const MAX_MESSAGE_CHARACTERS = 250;

/** The first violations; names that are long are cut, also where the message repeats them. */
export function shortViolations(violations: readonly WireViolation[]): WireViolation[] {
  return violations.slice(0, MAX_VIOLATIONS).map((violation) => {
    const field = shortText(violation.field, MAX_FIELD_CHARACTERS);
    const { position, matched } = violation;
    const more = { ...(position === undefined ? {} : { position }), ...(matched === undefined ? {} : { matched }) };
    return { field, message: shortText(withFieldCut(violation, field), MAX_MESSAGE_CHARACTERS), ...more };
  });
}

/** Texts of this form say in their last words what is wrong: `destination.headers.<name> must be a string`. */
function withFieldCut({ field, message }: WireViolation, shortField: string): string {
  return message.startsWith(field) ? `${shortField}${message.slice(field.length)}` : message;
}

/** `a very long text`, 10 -> `a very...` */
export function shortText(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 3).toWellFormed()}...`;
}
