import type { Caller } from '../../shared/domain/access/caller.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { SettingsInForce } from '../../shared/domain/flow/worker-facts.js';
import { fixTimes, type Filter } from '../../shared/domain/search/filter.js';
import { compileFilter, type SearchPlan } from '../../shared/queue/search/compile-filter.js';
import type { ListPlace } from '../../shared/queue/scan/page-in-progress.js';
import { countedFields } from '../../shared/queue/scan/scan-step.js';
import type { TaskSearch } from '../../shared/queue/scan/task-search.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { openCursor, sealCursor } from '../access/sealed-cursor.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import { parseLimit } from '../http/list-limit.js';
import { jsonAnswer } from '../http/answer.js';
import type { Query } from '../http/query.js';
import type { Route } from '../http/route.js';
import { largestGroups } from './largest-groups.js';
import { countPlaceOf, parseCursor, printCursor, toCursorPlace, type CursorOwner, type SearchCursor } from './search-cursor.js';
import { filterParameters, parseChoice, parseFilter } from './search-query.js';
import { summaryFacts } from './summary-facts.js';
import { toWireSummary } from './summary-view.js';

export interface SearchParts {
  readonly search: Pick<TaskSearch, 'list' | 'count'>;
  readonly queue: Pick<TaskQueue, 'fleet'>;
  readonly fleetSettings: Pick<FleetSettings, 'inForce'>;
  readonly mask: PathMask;
  readonly clock: Clock;
}

/** Finds tasks by what they are, and counts them. */
export const searchRoutes: readonly Route<SearchParts>[] = [
  {
    method: 'GET',
    path: '/tasks',
    role: 'read',
    isNarrowed: true,
    body: 'none',
    query: [...filterParameters, 'order', 'limit', 'cursor'],
    operationId: 'listTasks',
    metricLabel: '/tasks',
    handle: async ({ query, caller }, parts) => {
      const limit = parseLimit(query.get('limit'));
      const order = parseChoice(query, 'order', ['newest', 'oldest'], 'newest');
      const owner: CursorOwner = { call: `list ${order}`, filter: parseFilter(query, caller) };
      const cursor = cursorIn(query, owner, caller);
      const startedAt = cursor?.startedAt ?? parts.clock();
      // The workers say which brokers are the default cluster.
      const settings = await parts.fleetSettings.inForce();
      const plan = planFor(owner.filter, startedAt, settings, parts);
      const page = await parts.search.list(plan, { order, limit, from: listPlaceOf(cursor) });
      const facts = await summaryFacts(page.tasks.some(({ nextAttemptAt }) => nextAttemptAt !== undefined), settings, parts);
      return jsonAnswer(200, {
        tasks: page.tasks.map((task) => toWireSummary(task, facts)),
        next_cursor: page.next === undefined ? null : sealCursor(printCursor({ startedAt, at: page.next === 'beginning' ? { shard: 0 } : page.next }, owner), caller),
        scanned: shownScanned(page.scanned, page.tasks.length, caller),
        not_read: page.notRead,
        is_complete: page.isComplete,
        shards_away: page.shardsAway,
      });
    },
  },
  {
    method: 'GET',
    path: '/counts',
    role: 'read',
    isNarrowed: true,
    body: 'none',
    query: [...filterParameters, 'by', 'cursor'],
    operationId: 'countTasks',
    metricLabel: '/counts',
    handle: async ({ query, caller }, parts) => {
      const by = parseChoice(query, 'by', countedFields, 'count');
      const owner: CursorOwner = { call: `count ${by}`, filter: parseFilter(query, caller) };
      const cursor = cursorIn(query, owner, caller);
      const startedAt = cursor?.startedAt ?? parts.clock();
      const plan = planFor(owner.filter, startedAt, await parts.fleetSettings.inForce(), parts);
      const { matched, scanned, notRead, isComplete, shardsAway, groups, next } = await parts.search.count(plan, by, countPlaceOf(cursor));
      return jsonAnswer(200, {
        count: matched,
        is_exact: next === undefined && isComplete && notRead === 0,
        is_complete: isComplete,
        shards_away: shardsAway,
        scanned: shownScanned(scanned, matched, caller),
        not_read: notRead,
        ...(by === 'count' ? {} : { groups: largestGroups(groups).map(({ value, count }) => ({ value: by === 'http_status' && value !== null ? Number(value) : value, count })) }),
        next_cursor: next === undefined ? null : sealCursor(printCursor({ startedAt, at: toCursorPlace(next) }, owner), caller),
      });
    },
  },
];

function cursorIn(query: Query, owner: CursorOwner, caller: Caller): SearchCursor | undefined {
  const text = openCursor(query.get('cursor'), caller);
  return text === undefined ? undefined : parseCursor(text, owner);
}

/** How many tasks other clients have is not told to a key that is bound to its own: then those that matched count. */
export function shownScanned(scanned: number, matched: number, { clientIds }: Caller): number {
  return clientIds === undefined ? scanned : matched;
}

function planFor(filter: Filter, startedAt: number, { defaultBrokers }: SettingsInForce, { mask }: SearchParts): SearchPlan {
  return compileFilter(fixTimes(filter, startedAt), { defaultBrokers, mask });
}

function listPlaceOf(cursor: SearchCursor | undefined): ListPlace | undefined {
  if (cursor === undefined || !('place' in cursor.at)) return undefined;
  const { place, position, since, marks, waitingSince, hasGaps } = cursor.at;
  return { place, since, ...(position === undefined ? {} : { position }), ...(marks === undefined ? {} : { marks }), ...(waitingSince === undefined ? {} : { waitingSince }), ...(hasGaps === undefined ? {} : { hasGaps }) };
}
