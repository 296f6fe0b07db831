import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto';
import type { Caller } from '../../shared/domain/access/caller.js';
import { badCursor } from '../http/cursor-text.js';

/*
 * A cursor names the task that was looked at last, which may belong to another client. So a key that is bound to clients gets it encrypted,
 * with a secret of the key that is never shown.
 */

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** @param cursor null: there is no next page */
export function sealCursor<Text extends string | null>(cursor: Text, { sealSecret }: Caller): Text | string {
  if (cursor === null || sealSecret === undefined) return cursor;
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', hash('sha256', sealSecret, 'buffer'), iv);
  const sealed = Buffer.concat([cipher.update(cursor), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
}

/** @throws RequestError invalid_cursor for a text that sealCursor has not made for this key */
export function openCursor<Text extends string | undefined>(text: Text, { sealSecret }: Caller): Text | string {
  if (text === undefined || sealSecret === undefined) return text;
  const bytes = Buffer.from(text, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', hash('sha256', sealSecret, 'buffer'), padded(bytes.subarray(0, IV_BYTES), IV_BYTES));
  decipher.setAuthTag(padded(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES), TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString();
  } catch {
    throw badCursor('a page of the same list, with the same filter, order and key'); // its tag does not fit
  }
}

/** A text that is too short has no tag that fits. */
function padded(bytes: Buffer, length: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(length)], length);
}
