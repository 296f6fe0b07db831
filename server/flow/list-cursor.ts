import { RequestError } from '../../shared/domain/errors.js';

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
  return Buffer.from(JSON.stringify([group ?? null, now, lately, name])).toString('base64url');
}

/** @throws RequestError invalid_cursor for a text that is none, and for the cursor of another group */
export function parseCursor(text: string, group: string | undefined): Rank {
  const parts = parsed(text);
  if (!Array.isArray(parts) || parts.length !== 4) throw badCursor();
  const [ofGroup, now, lately, name] = parts as readonly unknown[];
  if (ofGroup !== (group ?? null) || typeof now !== 'number' || typeof lately !== 'number' || typeof name !== 'string') throw badCursor();
  return { name, now, lately };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined; // it is no JSON
  }
}

function badCursor(): RequestError {
  const message = 'cursor must be the next_cursor of a page of the same list, with the same group: begin again without it';
  return new RequestError('invalid_cursor', message, [{ field: 'cursor', message }]);
}
