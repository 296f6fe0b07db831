import { hash } from 'node:crypto';
import { RequestError } from '../../shared/domain/errors.js';

const DIGEST_CHARACTERS = 16;

/**
 * The text of a cursor: the values that name a place in a list, as base64url of a checksum and their JSON. It holds no secret, and a
 * client can write one, so each value is checked when it is read. The checksum tells a cursor that was cut or changed by mistake: it
 * could name another place of the list, and what lies between would be missed in silence.
 * `[1764390000000, "b-1"]` -> `M2EzMDAxMmJhZGYwNWE1OFsxNzY0MzkwMDAwMDAwLCJiLTEiXQ`
 */
export function printCursorText(values: readonly (string | number | null | object)[]): string {
  const json = JSON.stringify(values);
  return Buffer.from(shortDigest(json) + json).toString('base64url');
}

/** @returns undefined for a text that is no cursor of so many values */
export function readCursorText(text: string, count: number): readonly unknown[] | undefined {
  const bytes = Buffer.from(text, 'base64url');
  const json = bytes.subarray(DIGEST_CHARACTERS).toString();
  // Buffer skips characters that are no base64url.
  if (bytes.toString('base64url') !== text || bytes.subarray(0, DIGEST_CHARACTERS).toString() !== shortDigest(json)) return undefined;
  const values = parsed(json);
  return Array.isArray(values) && values.length === count ? (values as readonly unknown[]) : undefined;
}

/** The beginning of a SHA-256: enough to tell what was changed by mistake. */
export function shortDigest(text: string): string {
  return hash('sha256', text, 'hex').slice(0, DIGEST_CHARACTERS);
}

/** @param sameList which list it has to belong to: `a page of this list` */
export function badCursor(sameList: string): RequestError {
  const message = `cursor must be the next_cursor of ${sameList}: begin again without it`;
  return new RequestError('invalid_cursor', message, [{ field: 'cursor', message }]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it is no JSON
  }
}
