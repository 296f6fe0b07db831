import { unreadableForMs } from '../../shared/domain/task/outcome.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { toWireWorkerFacts, type FleetSettings } from '../flow/fleet-settings.js';
import { jsonAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';
import { heldByCode } from './held-codes.js';
import { toWireCounts } from './view.js';

export interface StatsParts {
  readonly queue: Pick<TaskQueue, 'counts' | 'withFlow'>;
  readonly fleetSettings: Pick<FleetSettings, 'view'>;
}

/** Facts about all tasks together: their counts, and the number of workers. */
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
      const { release, circuit, differences, rebuilds } = await fleetSettings.view();
      const [{ counts, shardsAway }, snapshot] = await Promise.all([queue.counts(unreadableForMs(release)), queue.withFlow((store) => store.snapshotOfAll())]);
      return jsonAnswer(200, {
        counts: toWireCounts(counts, heldByCode(counts.held, snapshot, circuit)),
        oldest_due_ms: counts.oldestDueMs ?? null,
        workers: snapshot.workers,
        worker_facts: toWireWorkerFacts(differences),
        shard_rebuilds: rebuilds,
        shards_away: shardsAway,
      });
    },
  },
];
