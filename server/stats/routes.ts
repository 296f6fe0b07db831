import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { unreadableForMs } from '../../shared/domain/task/outcome.js';
import type { Clock } from '../../shared/domain/ports.js';
import { BUCKET_MS } from '../../shared/queue/stats/activity-store.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { toWireWorkerFacts, type FleetSettings } from '../flow/fleet-settings.js';
import { orAway } from '../flow/or-away.js';
import { jsonAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';
import { heldByCode } from './held-codes.js';
import type { LastStats, ShownStats } from './last-stats.js';
import { parseSince } from './parse-since.js';
import type { StatusReader } from './status-reader.js';
import { toWireCounts, toWireFailures, toWireHistory, type MissingStats } from './view.js';

export interface StatsParts {
  readonly queue: Pick<TaskQueue, 'counts' | 'fleet'>;
  readonly lastStats: Pick<LastStats, 'minutes' | 'failures'>;
  readonly fleetSettings: Pick<FleetSettings, 'view' | 'lastKnown'>;
  readonly statusReader: Pick<StatusReader, 'status'>;
  readonly mask: PathMask;
  readonly clock: Clock;
}

/** How long the counts wait for the settings of the workers, ms: they only say when a task counts as unreadable. */
const SETTINGS_LIMIT_MS = 150;

/** Facts about all tasks together: how the service is, the counts now, and what was done in each minute. */
export const statsRoutes: readonly Route<StatsParts>[] = [
  {
    method: 'GET',
    path: '/stats',
    role: 'read',
    body: 'none',
    query: [],
    operationId: 'stats',
    metricLabel: '/stats',
    handle: async (_context, { queue, fleetSettings }) => {
      const [{ counts, shardsAway }, fleet, snapshot] = await Promise.all([
        fleetSettings.lastKnown(SETTINGS_LIMIT_MS).then(({ release }) => queue.counts(unreadableForMs(release))),
        orAway(fleetSettings.view()),
        orAway(queue.fleet.withFlow((store) => store.snapshotOfAll())),
      ]);
      return jsonAnswer(200, {
        counts: toWireCounts(counts, snapshot === undefined || fleet === undefined ? undefined : heldByCode(counts.held, snapshot, fleet.circuit)),
        oldest_due_ms: counts.oldestDueMs ?? null,
        workers: snapshot?.workers ?? null,
        worker_facts: fleet === undefined ? null : toWireWorkerFacts(fleet.differences),
        shard_rebuilds: fleet?.rebuilds ?? null,
        is_complete: shardsAway.length === 0,
        shards_away: shardsAway,
      });
    },
  },
  {
    method: 'GET',
    path: '/status',
    role: 'read',
    body: 'none',
    query: [],
    operationId: 'status',
    metricLabel: '/status',
    // It is 200 whatever the status is: the question was answered. For a probe of an orchestrator there is /readyz.
    handle: async (_context, { statusReader }) => jsonAnswer(200, await statusReader.status()),
  },
  {
    method: 'GET',
    path: '/history',
    role: 'read',
    body: 'none',
    query: ['since'],
    operationId: 'history',
    metricLabel: '/history',
    handle: async ({ query }, { lastStats, clock }) => {
      const spanMs = parseSince(query, clock());
      const stepMs = BUCKET_MS.minute;
      const read = await lastStats.minutes(spanMs);
      const missing = missingOf(read);
      // What was read last is shown where it belongs, and the minutes since then are empty.
      const now = missing.isRead ? (read.shown?.value.now ?? clock()) : clock();
      const beginning = (at: number): number => Math.floor(at / stepMs) * stepMs;
      return jsonAnswer(200, toWireHistory(read.shown?.value.buckets ?? [], beginning(now - spanMs), beginning(now), stepMs, missing));
    },
  },
  {
    method: 'GET',
    path: '/failures',
    role: 'read',
    body: 'none',
    query: ['since'],
    operationId: 'failures',
    metricLabel: '/failures',
    handle: async ({ query }, { lastStats, mask, clock }) => {
      const spanMs = parseSince(query, clock());
      const read = await lastStats.failures(spanMs);
      return jsonAnswer(200, toWireFailures(read.shown?.value ?? { since: clock() - spanMs, groups: new Map() }, mask, missingOf(read)));
    },
  },
];

function missingOf({ shown, shardsAway }: ShownStats<unknown>): MissingStats {
  return { isRead: shown !== undefined && shown.knownAt === undefined, knownAt: shown?.knownAt, shardsAway };
}
