import { hasPermission, type Caller } from '../../shared/domain/access/caller.js';
import type { StateReason } from '../../shared/domain/bulk-actions/bulk-action.js';
import { estimateDoneAt, inProgress } from '../../shared/domain/bulk-actions/bulk-counts.js';
import type { CountedBulkAction } from '../../shared/queue/bulk-actions/bulk-actions.js';
import { shownOverride } from '../../shared/domain/bulk-actions/override.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';
import { shownFilter } from '../../shared/domain/search/shown-filter.js';
import { printTime } from '../http/print-time.js';
import { MAX_ERROR_CHARACTERS, shortText } from '../http/short-error.js';

/** Shows an action to clients: our names become wire names here. @param now ms since the epoch */
export function toWireBulkAction({ action, counts, samples: [invalid, unreadable], shardsAway }: CountedBulkAction, now: number, reader: { readonly caller: Caller; readonly mask: PathMask }): object {
  const { mask } = reader;
  const { id, asked, state, stateReason, rate, matchedAt, doneAt, settledAt } = action;
  // Until matching is over nothing is known of the numbers, and nothing was touched.
  const isMatched = matchedAt !== null;
  const estimate = state === 'running' && matchedAt !== null ? estimateDoneAt(counts, rate, matchedAt, now) : undefined;
  return {
    id,
    action: asked.action,
    state,
    state_reason: stateReason ?? awayReason(shardsAway, isMatched),
    filter: asked.filter === null ? null : shownFilter(asked.filter, { mask, showsMessages: hasPermission(reader.caller, 'payload') }),
    override: asked.override === null ? null : shownOverride(asked.override, mask),
    order: asked.order,
    rate,
    limit: asked.limit,
    reason: asked.reason,
    matched: isMatched ? counts.matched : null,
    not_read: isMatched ? counts.notRead : 0,
    pending: isMatched ? counts.pending : 0,
    started: counts.started,
    in_progress: inProgress(counts, asked.action),
    delivered: counts.delivered,
    failed_again: counts.failedAgain,
    cancelled: counts.cancelled,
    skipped: { changed: counts.changed, gone: counts.gone, being_sent: counts.beingSent, over_limit: isMatched ? counts.overLimit : 0, ...(asked.override === null ? {} : { invalid: counts.invalid + counts.unreadable }) },
    ...(asked.override === null ? {} : { override_errors: [...overrideError('invalid_task', counts.invalid, invalid), ...overrideError('task_unreadable', counts.unreadable, unreadable)] }),
    first_sends: { delivered: counts.firstDelivered, failed: counts.firstFailed },
    created_at: printTime(asked.createdAt),
    created_by: asked.createdBy,
    matched_at: timeOrNull(matchedAt),
    done_at: timeOrNull(doneAt),
    settled_at: timeOrNull(settledAt),
    estimated_done_at: timeOrNull(estimate ?? null),
    is_complete: shardsAway.length === 0,
    shards_away: shardsAway,
  };
}

/** Shards that do not answer are no state of the action, and go by: it goes on in the others, and there as soon as they are back. */
function awayReason(shardsAway: readonly string[], isMatched: boolean): StateReason | null {
  if (shardsAway.length === 0) return null;
  const names = `${shardsAway.slice(0, MOST_NAMES).join(', ')}${shardsAway.length > MOST_NAMES ? ', ...' : ''}`;
  const what = isMatched ? 'their tasks wait, and what became of them is not in these numbers' : 'no task is touched before those of all shards are known';
  return { code: 'shard_away', message: `${shardsAway.length} ${shardsAway.length === 1 ? 'shard does' : 'shards do'} not answer (${names}): ${what}` };
}

/** Tasks that the override did not fit, and one of them. */
function overrideError(code: RequestErrorCode, count: number, sample: CountedBulkAction['samples'][number]): object[] {
  return count === 0 ? [] : [{ code, count, task_id: sample?.id ?? null, message: sample === undefined ? null : shortText(sample.message, MAX_ERROR_CHARACTERS) }];
}

function timeOrNull(ms: number | null): string | null {
  // A rate of one task in 1,000 s makes times that have no form in RFC 3339.
  return ms === null || ms > LATEST ? null : printTime(ms);
}

/** Of shards in one sentence. */
const MOST_NAMES = 5;
const LATEST = Date.UTC(9999, 11, 31);
