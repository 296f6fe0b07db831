import { printFilter, type Filter } from '../../shared/domain/search/filter.js';
import type { CountPlace } from '../../shared/queue/scan/count-tasks.js';
import type { Position } from '../../shared/queue/scan/found-task.js';
import { isScanMark, type ScanMark } from '../../shared/queue/scan/scan-mark.js';
import { HELD, isSearchPlace, type ReadPlace } from '../../shared/queue/search/search-places.js';
import { badCursor, printCursorText, readCursorText, shortDigest } from '../http/cursor-text.js';

/** What a cursor belongs to: with anything else it is refused. */
export interface CursorOwner {
  /** `list newest`, `count state`: the call, and how it was to be answered. */
  readonly call: string;
  readonly filter: Filter;
}

/** The place where a search goes on. */
export interface CursorPlace {
  readonly place: ReadPlace | 'ids';
  readonly position?: Position;
  readonly since: number;
  /** Of each shard, if they are searched together, as `waitingSince` is; else `mark` is that of `shard`, its number, and `waitingSince` has one time. */
  readonly marks?: readonly ScanMark[];
  readonly waitingSince?: readonly number[];
  readonly mark?: ScanMark;
  readonly shard?: number;
  /** What came before is not complete. */
  readonly hasGaps?: true;
}

export interface SearchCursor {
  /** The time from which relative times count, ms since the epoch: that of the first page. */
  readonly startedAt: number;
  /** undefined: at the beginning of `shard`. */
  readonly at: CursorPlace | Pick<Required<CursorPlace>, 'shard'> & Pick<CursorPlace, 'hasGaps'>;
}

/** A cursor holds no secret, and a search can be made to go on anywhere. */
export function printCursor(cursor: SearchCursor, owner: CursorOwner): string {
  return printCursorText([shortDigest(ownerText(owner)), cursor.startedAt, cursor.at]);
}

/** @throws RequestError invalid_cursor for a text that is none, and for the cursor of another search */
export function parseCursor(text: string, owner: CursorOwner): SearchCursor {
  const [of, startedAt, at] = readCursorText(text, 3) ?? [];
  if (of !== shortDigest(ownerText(owner)) || !isTime(startedAt) || !isPlace(at)) throw badCursor('a page of the same list, with the same filter and order');
  return { startedAt, at };
}

/** The order of conditions makes no difference. */
function ownerText({ call, filter }: CursorOwner): string {
  return `${call}\n${filter.map((condition) => printFilter([condition])).sort().join(' ')}`;
}

function isPlace(value: unknown): value is SearchCursor['at'] {
  if (typeof value !== 'object' || value === null) return false;
  const { place, position, since, shard, mark, marks, waitingSince, hasGaps } = value as Readonly<Record<string, unknown>>;
  const isShard = Number.isInteger(shard) && Number(shard) >= 0;
  if (hasGaps !== undefined && hasGaps !== true) return false;
  if (place === undefined) return isShard;
  if (mark !== undefined && !isScanMark(mark)) return false;
  if (marks !== undefined && !(Array.isArray(marks) && marks.every(isScanMark))) return false;
  if (waitingSince !== undefined && !(Array.isArray(waitingSince) && waitingSince.every(isTime))) return false;
  return (isSearchPlace(place) || place === HELD || place === 'ids') && isTime(since) && (position === undefined || isPosition(position)) && (shard === undefined || isShard);
}

/** ms since the epoch */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isPosition(value: unknown): value is Position {
  if (typeof value !== 'object' || value === null) return false;
  const { score, member } = value as Readonly<Record<string, unknown>>;
  return typeof score === 'string' && /^-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf)$/.test(score) && typeof member === 'string';
}

/** Of a search that goes through the shards one after the other. */
export function toCursorPlace({ from, ...rest }: CountPlace): SearchCursor['at'] {
  if (from === undefined) return rest;
  const { waitingSince, ...place } = from;
  return { ...place, ...(waitingSince === undefined ? {} : { waitingSince: [waitingSince] }), ...rest };
}

export function countPlaceOf(cursor: SearchCursor | undefined): CountPlace | undefined {
  if (cursor === undefined) return undefined;
  const { at } = cursor;
  const rest = { shard: at.shard ?? 0, ...(at.hasGaps === undefined ? {} : { hasGaps: at.hasGaps }) };
  if (!('place' in at) || at.place === 'ids') return rest;
  const { place, position, since, mark, waitingSince: [waitingSince] = [] } = at;
  return { ...rest, from: { place, since, ...(waitingSince === undefined ? {} : { waitingSince }), ...(position === undefined ? {} : { position }), ...(mark === undefined ? {} : { mark }) } };
}
