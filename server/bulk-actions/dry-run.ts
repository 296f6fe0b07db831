import type { Caller } from '../../shared/domain/access/caller.js';
import { narrowedFilter } from '../../shared/domain/access/narrowed-filter.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { endpointOf, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import { fixTimes, type Filter } from '../../shared/domain/search/filter.js';
import { statesTakenBy, type TaskAction } from '../../shared/domain/task/state-actions.js';
import type { TaskPreview } from '../../shared/queue/scan/preview-tasks.js';
import type { TaskSearch } from '../../shared/queue/scan/task-search.js';
import { compileFilter } from '../../shared/queue/search/compile-filter.js';
import { openCursor, sealCursor } from '../access/sealed-cursor.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import { largestGroups } from '../search/largest-groups.js';
import { shownScanned } from '../search/routes.js';
import { countPlaceOf, parseCursor, printCursor, toCursorPlace } from '../search/search-cursor.js';
import { summaryFacts, type SummaryParts } from '../search/summary-facts.js';
import { toWireSummary } from '../search/summary-view.js';
import type { BulkRequest } from './schema.js';

export interface DryRunParts extends SummaryParts {
  readonly fleetSettings: Pick<FleetSettings, 'inForce'>;
  readonly search: Pick<TaskSearch, 'preview'>;
}

/** The conditions of an action: those that were asked for, and the states that it takes. */
export function conditionsOf(action: TaskAction, asked: Filter): Filter {
  return [...asked, { field: 'state', isNegated: false, values: statesTakenBy[action].map((text) => ({ kind: 'text', text })) }];
}

/**
 * What the action would meet now. With ids it counts them as the action does: those that no task has, and those in other states, are
 * among `matched`, and would be skipped.
 * @throws RequestError invalid_cursor for the cursor of another dry run
 */
export async function dryRun({ action, ids, filter, cursor: sealed }: BulkRequest, caller: Caller, parts: DryRunParts): Promise<object> {
  const conditions = narrowedFilter(filter === undefined ? [] : conditionsOf(action, filter.conditions), caller.clientIds);
  const text = openCursor(sealed, caller);
  const owner = { call: `dry run ${action}`, filter: conditions };
  const cursor = text === undefined ? undefined : parseCursor(text, owner);
  const startedAt = cursor?.startedAt ?? parts.clock();
  const settings = await parts.fleetSettings.inForce();
  const { defaultBrokers } = settings;
  const plan = compileFilter(fixTimes(conditions, startedAt), { defaultBrokers, mask: parts.mask });
  const preview = await parts.search.preview(plan, countPlaceOf(cursor), ids);
  const { samples, next, scanned, notRead, isComplete, shardsAway } = preview;
  const facts = await summaryFacts(samples.some(({ nextAttemptAt }) => nextAttemptAt !== undefined), settings, parts);
  return {
    matched: ids === undefined ? preview.matched : ids.length,
    is_exact: next === undefined && isComplete && (notRead === 0 || ids !== undefined),
    is_complete: isComplete,
    shards_away: shardsAway,
    scanned: shownScanned(scanned, preview.matched, caller),
    next_cursor: next === undefined ? null : sealCursor(printCursor({ startedAt, at: toCursorPlace(next) }, owner), caller),
    by_error_code: largestGroups(preview.byErrorCode),
    by_destination_key: destinationsOf(preview, defaultBrokers, parts.mask),
    samples: samples.map((task) => toWireSummary(task, facts)),
  };
}

/** Several brokers may be the same cluster. */
function destinationsOf({ byEndpoint }: TaskPreview, defaultBrokers: DefaultBrokers, mask: PathMask): object[] {
  const counts = new Map<string, number>();
  for (const { task, count } of byEndpoint.values()) {
    const key = endpointOf(task, { defaultBrokers, mask });
    counts.set(key, (counts.get(key) ?? 0) + count);
  }
  return largestGroups(counts);
}
