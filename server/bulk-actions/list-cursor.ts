import { RequestError } from '../../shared/domain/errors.js';

/** The place behind one action of the list, the newest first. */
export interface PlaceInList {
  /** ms since the epoch */
  readonly createdAt: number;
  readonly id: string;
}

export function printCursor({ createdAt, id }: PlaceInList): string {
  return Buffer.from(JSON.stringify([createdAt, id])).toString('base64url');
}

/** @throws RequestError invalid_cursor for a text that is none */
export function parseCursor(text: string): PlaceInList {
  const parts = parsed(text);
  const [createdAt, id] = Array.isArray(parts) && parts.length === 2 ? (parts as readonly unknown[]) : [];
  if (typeof createdAt === 'number' && typeof id === 'string' && id.isWellFormed()) return { createdAt, id };
  const message = 'cursor must be the next_cursor of a page of this list: begin again without it';
  throw new RequestError('invalid_cursor', message, [{ field: 'cursor', message }]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined; // it is no JSON
  }
}
