import { hash } from 'node:crypto';
import { RequestError } from '../../shared/domain/errors.js';
import { printFilter, type Filter } from '../../shared/domain/search/filter.js';
import type { CountPlace } from '../../shared/queue/scan/count-tasks.js';
import type { Position } from '../../shared/queue/scan/found-task.js';
import { isSearchPlace, type SearchPlace } from '../../shared/queue/search/search-places.js';

/** What a cursor belongs to: with anything else it is refused. */
export interface CursorOwner {
  /** `list newest`, `count state`: the call, and how it was to be answered. */
  readonly call: string;
  readonly filter: Filter;
}

/** The place where a search goes on. */
export interface CursorPlace {
  readonly place: SearchPlace | 'ids';
  readonly position?: Position;
  readonly since: number;
  /** Number of the shard, if they are searched one after the other. */
  readonly shard?: number;
}

export interface SearchCursor {
  /** The time from which relative times count, ms since the epoch: that of the first page. */
  readonly startedAt: number;
  /** undefined: at the beginning of `shard`. */
  readonly at: CursorPlace | { readonly shard: number };
}

const DIGEST_CHARACTERS = 16;

/** A cursor holds no secret, and a search can be made to go on anywhere. The checksum tells a cursor that was changed by mistake. */
export function printCursor(cursor: SearchCursor, owner: CursorOwner): string {
  const text = JSON.stringify([digest(ownerText(owner)), cursor.startedAt, cursor.at]);
  return Buffer.from(digest(text) + text).toString('base64url');
}

/** @throws RequestError invalid_cursor for a text that is none, and for the cursor of another search */
export function parseCursor(text: string, owner: CursorOwner): SearchCursor {
  const bytes = Buffer.from(text, 'base64url');
  const json = bytes.subarray(DIGEST_CHARACTERS).toString();
  // Buffer skips characters that are no base64url.
  if (bytes.toString('base64url') !== text || bytes.subarray(0, DIGEST_CHARACTERS).toString() !== digest(json)) throw badCursor();
  const parts = parsed(json);
  if (!Array.isArray(parts)) throw badCursor();
  const [of, startedAt, at] = parts as readonly unknown[];
  if (of !== digest(ownerText(owner)) || typeof startedAt !== 'number' || !isPlace(at)) throw badCursor();
  return { startedAt, at };
}

/** The order of conditions makes no difference. */
function ownerText({ call, filter }: CursorOwner): string {
  return `${call}\n${filter.map((condition) => printFilter([condition])).sort().join(' ')}`;
}

function digest(text: string): string {
  return hash('sha256', text, 'hex').slice(0, DIGEST_CHARACTERS);
}

function isPlace(value: unknown): value is SearchCursor['at'] {
  if (typeof value !== 'object' || value === null) return false;
  const { place, position, since, shard } = value as Readonly<Record<string, unknown>>;
  const isShard = Number.isInteger(shard) && Number(shard) >= 0;
  if (place === undefined) return isShard;
  return (isSearchPlace(place) || place === 'ids') && typeof since === 'number' && (position === undefined || isPosition(position)) && (shard === undefined || isShard);
}

function isPosition(value: unknown): value is Position {
  if (typeof value !== 'object' || value === null) return false;
  const { score, member } = value as Readonly<Record<string, unknown>>;
  return typeof score === 'string' && /^-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf)$/.test(score) && typeof member === 'string';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it is no JSON
  }
}

function badCursor(): RequestError {
  const message = 'cursor must be the next_cursor of a page of the same list, with the same filter and order: begin again without it';
  return new RequestError('invalid_cursor', message, [{ field: 'cursor', message }]);
}

/** Of a search that goes through the shards one after the other. */
export function toCursorPlace({ shard, from }: CountPlace): SearchCursor['at'] {
  return from === undefined ? { shard } : { ...from, shard };
}

export function countPlaceOf(cursor: SearchCursor | undefined): CountPlace | undefined {
  if (cursor === undefined) return undefined;
  const { at } = cursor;
  const shard = at.shard ?? 0;
  if (!('place' in at) || at.place === 'ids') return { shard };
  const { place, position, since } = at;
  return { shard, from: { place, since, ...(position === undefined ? {} : { position }) } };
}
