import { durationMs } from '../../shared/config/variable-kinds.js';
import { RequestError } from '../../shared/domain/errors.js';
import { parseInstant } from '../../shared/domain/parse-instant.js';
import type { AuditEntry } from '../../shared/queue/audit/audit-entry.js';
import { isAuditId } from '../../shared/queue/audit/audit-log.js';
import { parseLimit } from '../http/list-limit.js';
import { badCursor, printCursorText, readCursorText } from '../http/cursor-text.js';
import type { Query } from '../http/query.js';

/** Which entries are asked for; undefined: all. Texts are compared exactly, letter case included. */
export interface AuditFilter {
  /** The name that X-Operator claims, the id or the name of a key, or a type of actors. */
  readonly actor: string | undefined;
  /** `destination.pause`, or its last part `pause`. */
  readonly action: string | undefined;
  /** An id of a task, a key of a destination, ... */
  readonly target: string | undefined;
  /** As it was asked for, so that a page and the next one can be compared. */
  readonly since: string | undefined;
}

export interface AuditQuery {
  readonly filter: AuditFilter;
  readonly limit: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number | undefined;
  /** The id of the last entry of the page before. */
  readonly before: string | undefined;
}

/**
 * @param now milliseconds since the epoch
 * @throws RequestError invalid_request, invalid_cursor
 */
export function parseAuditQuery(query: Query, now: number): AuditQuery {
  const text = (name: string): string | undefined => {
    const value = query.get(name);
    // An unset variable of a shell must not mean "everything".
    if (value === '') throw refusal(name, 'must not be empty');
    return value;
  };
  const filter = { actor: text('actor'), action: text('action'), target: text('target'), since: text('since') };
  const limit = parseLimit(query.get('limit'));
  const cursor = text('cursor');
  if (cursor === undefined) return { filter, limit, sinceMs: filter.since === undefined ? undefined : parseSince(filter.since, now), before: undefined };
  return { filter, limit, ...parseCursor(cursor, filter) };
}

/**
 * @param targets every spelling of the target that is asked for; undefined: any target
 * @returns does the entry belong to what is asked for?
 */
export function matcherOf({ actor, action }: AuditFilter, targets: readonly string[] | undefined, sinceMs: number | undefined): (entry: AuditEntry) => boolean {
  return (entry) =>
    (sinceMs === undefined || entry.at >= sinceMs) &&
    (actor === undefined || isBy(entry, actor)) &&
    (action === undefined || isNamed(entry.end?.action ?? entry.action, action)) &&
    (targets === undefined || targets.includes(entry.target.id));
}

function isBy({ actor: { type, id, name, operator } }: AuditEntry, asked: string): boolean {
  return operator === asked || id === asked || name === asked || type === asked;
}

function isNamed(action: string, asked: string): boolean {
  return action === asked || action.endsWith(`.${asked}`);
}

/**
 * The place behind one entry. A length back from now is fixed by the first page, so that the list does not lose its end while it is
 * read.
 */
export function printCursor({ actor, action, target, since }: AuditFilter, sinceMs: number | undefined, before: string): string {
  return printCursorText([actor ?? null, action ?? null, target ?? null, since ?? null, sinceMs ?? null, before]);
}

function parseCursor(text: string, { actor, action, target, since }: AuditFilter): { readonly sinceMs: number | undefined; readonly before: string } {
  const [ofActor, ofAction, ofTarget, ofSince, sinceMs, before] = readCursorText(text, 6) ?? [];
  const isOfList = ofActor === (actor ?? null) && ofAction === (action ?? null) && ofTarget === (target ?? null) && ofSince === (since ?? null);
  if (!isOfList || !(sinceMs === null || Number.isSafeInteger(sinceMs)) || typeof before !== 'string' || !isAuditId(before)) throw badCursor('a page of the same list, with the same actor, action, target and since');
  return { sinceMs: typeof sinceMs === 'number' ? sinceMs : undefined, before };
}

/** A time, or a length back from now: `90s`, `24h`, `30d`, `2026-11-28T12:00:00Z`. */
function parseSince(text: string, now: number): number {
  const at = parseInstant(text);
  if (at !== undefined) return at;
  const length = durationMs(text);
  if (length > 0 && length <= now) return Math.floor(now - length);
  throw refusal('since', 'must be a time such as 2026-11-28T12:00:00Z, or a length back from now, such as 90s, 24h or 30d');
}

function refusal(field: string, complaint: string): RequestError {
  const message = `${field} ${complaint}`;
  return new RequestError('invalid_request', message, [{ field, message }]);
}
