import type { TaskCounts } from '../../shared/queue/tasks/task-counts.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { unreadableForMs } from '../../shared/domain/task/outcome.js';
import { toWireWorkerFacts, type FleetSettings } from '../flow/fleet-settings.js';
import { jsonAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';

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
      const { release, differences, rebuilds } = await fleetSettings.view();
      const [counts, { workers }] = await Promise.all([queue.counts(unreadableForMs(release)), queue.withFlow((store) => store.snapshot([]))]);
      return jsonAnswer(200, { ...toWireCounts(counts), workers, worker_facts: toWireWorkerFacts(differences), shard_rebuilds: rebuilds });
    },
  },
];

function toWireCounts({ waiting, due, sending, delivered, deadLettered, parked, unreadable, oldestDueMs }: TaskCounts): object {
  return {
    counts: { waiting, due, sending, delivered, dead_lettered: deadLettered, parked, unreadable },
    oldest_due_ms: oldestDueMs ?? null,
  };
}
