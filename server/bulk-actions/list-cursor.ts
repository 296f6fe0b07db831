import { badCursor, printCursorText, readCursorText } from '../http/cursor-text.js';

/** The place behind one action of the list, the newest first. */
export interface PlaceInList {
  /** ms since the epoch */
  readonly createdAt: number;
  readonly id: string;
}

export function printCursor({ createdAt, id }: PlaceInList): string {
  return printCursorText([createdAt, id]);
}

/** @throws RequestError invalid_cursor for a text that is none */
export function parseCursor(text: string): PlaceInList {
  const [createdAt, id] = readCursorText(text, 2) ?? [];
  if (typeof createdAt === 'number' && Number.isSafeInteger(createdAt) && typeof id === 'string' && id.isWellFormed()) return { createdAt, id };
  throw badCursor('a page of this list');
}
