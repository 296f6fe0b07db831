import { badCursor, printCursorText, readCursorText } from '../http/cursor-text.js';

/** What a destination is sorted by. The busiest come first. */
export interface Rank {
  readonly name: string;
  /** What is sent or waits now. */
  readonly now: number;
  /** What was sent lately. */
  readonly lately: number;
}

export function byBusiest(a: Rank, b: Rank): number {
  return b.now - a.now || b.lately - a.lately || (a.name < b.name ? -1 : Number(a.name > b.name));
}

/**
 * The place behind one destination of the list. The list moves between two pages, so a destination that has become busier
 * meanwhile may be missed, and one that has become less busy may come twice.
 */
export function printCursor({ name, now, lately }: Rank, group: string | undefined): string {
  return printCursorText([group ?? null, now, lately, name]);
}

/** @throws RequestError invalid_cursor for a text that is none, and for the cursor of another group */
export function parseCursor(text: string, group: string | undefined): Rank {
  const [ofGroup, now, lately, name] = readCursorText(text, 4) ?? [];
  if (ofGroup !== (group ?? null) || typeof now !== 'number' || typeof lately !== 'number' || typeof name !== 'string') throw badCursor('a page of the same list, with the same group');
  return { name, now, lately };
}
