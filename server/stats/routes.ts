import type { TaskCounts } from '../../shared/queue/tasks/task-counts.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { jsonAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';

export interface StatsParts {
  readonly queue: Pick<TaskQueue, 'counts' | 'withFlow'>;
  /** For how long a task counts as unreadable after a worker last failed to read it, ms. */
  readonly unreadableForMs: number;
}

/** What concerns all tasks together: their counts, and how many workers there are for them. */
export const statsRoutes: readonly Route<StatsParts>[] = [
  {
    method: 'GET',
    path: '/stats',
    role: 'read',
    body: 'none',
    query: [],
    operationId: 'stats',
    metricLabel: '/stats',
    handle: async (_context, { queue, unreadableForMs }) => {
      const [counts, { workers }] = await Promise.all([queue.counts(unreadableForMs), queue.withFlow((store) => store.snapshot([]))]);
      return jsonAnswer(200, { ...toWireCounts(counts), workers });
    },
  },
];

function toWireCounts({ waiting, due, sending, delivered, deadLettered, parked, unreadable, oldestDueMs }: TaskCounts): object {
  return {
    counts: { waiting, due, sending, delivered, dead_lettered: deadLettered, parked, unreadable },
    oldest_due_ms: oldestDueMs ?? null,
  };
}
