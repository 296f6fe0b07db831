import { RequestError } from '../../shared/domain/errors.js';

/**
 * The text of a cursor: the values that name a place in a list, as base64url of their JSON. It holds no secret, and a client can
 * write one, so each value is checked when it is read.
 * `[1764390000000, "b-1"]` -> `WzE3NjQzOTAwMDAwMDAsImItMSJd`
 */
export function printCursorText(values: readonly (string | number | null)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

/** @returns undefined for a text that is no cursor of so many values */
export function readCursorText(text: string, count: number): readonly unknown[] | undefined {
  const values = parsed(text);
  return Array.isArray(values) && values.length === count ? (values as readonly unknown[]) : undefined;
}

/** @param sameList which list it has to belong to: `a page of this list` */
export function badCursor(sameList: string): RequestError {
  const message = `cursor must be the next_cursor of ${sameList}: begin again without it`;
  return new RequestError('invalid_cursor', message, [{ field: 'cursor', message }]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined; // it is no JSON
  }
}
