import { Router } from 'express';
import type { TaskCounts } from '../../shared/queue/tasks/task-counts.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';

/**
 * What concerns all tasks together: their counts, and how many workers there are for them.
 * @param unreadableForMs for how long a task counts as unreadable after the last try
 */
export function queueRoutes({ queue, unreadableForMs }: { readonly queue: Pick<TaskQueue, 'counts' | 'withFlow'>; readonly unreadableForMs: number }): Router {
  const router = Router();

  router.get('/stats', async (_request, response) => {
    const [counts, { workers }] = await Promise.all([queue.counts(unreadableForMs), queue.withFlow((store) => store.snapshot([]))]);
    response.json({ ...toWireCounts(counts), workers });
  });

  return router;
}

function toWireCounts({ waiting, due, sending, delivered, deadLettered, parked, unreadable, oldestDueMs }: TaskCounts): object {
  return {
    counts: { waiting, due, sending, delivered, dead_lettered: deadLettered, parked, unreadable },
    oldest_due_ms: oldestDueMs ?? null,
  };
}
