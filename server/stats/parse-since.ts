import { durationMs } from '../../shared/config/variable-kinds.js';
import { RequestError } from '../../shared/domain/errors.js';
import { parseInstant } from '../../shared/domain/parse-instant.js';
import type { Query } from '../http/query.js';

const LONGEST_MS = 86_400_000;
export const DEFAULT_SPAN_MS = 3_600_000;

/**
 * How far back from now a request asks.
 *
 * | ?since= | from 12:00 |
 * |---|---|
 * | left out | 1 h |
 * | `90s`, `15m`, `24h` | that long |
 * | `2026-11-28T11:30:00Z` | 30 min |
 *
 * @param now milliseconds since the epoch
 * @returns milliseconds, above 0, at most a day
 * @throws RequestError invalid_request for anything else
 */
export function parseSince(query: Query, now: number): number {
  const text = query.get('since');
  if (text === undefined) return DEFAULT_SPAN_MS;
  const at = parseInstant(text);
  const ms = at === undefined ? durationMs(text) : now - at;
  if (ms > 0 && ms <= LONGEST_MS) return ms;
  const message = 'since must be a time of the last 24 hours, such as 2026-11-28T12:00:00Z, or a length back from now, such as 15m, 1h or 24h';
  throw new RequestError('invalid_request', message, [{ field: 'since', message }]);
}
