import { Router } from 'express';
import type { TaskCounts } from '../../shared/queue/task-counts.js';
import type { TaskQueue } from '../../shared/queue/task-queue.js';

/**
 * What concerns all tasks together: their counts.
 * @param unreadableForMs for how long a task counts as unreadable after the last try
 */
export function queueRoutes({ queue, unreadableForMs }: { readonly queue: Pick<TaskQueue, 'counts'>; readonly unreadableForMs: number }): Router {
  const router = Router();

  router.get('/stats', async (_request, response) => {
    response.json(printCounts(await queue.counts(unreadableForMs)));
  });

  return router;
}

function printCounts({ waiting, due, sending, delivered, deadLettered, parked, unreadable, oldestDueMs }: TaskCounts): object {
  return {
    counts: { waiting, due, sending, delivered, dead_lettered: deadLettered, parked, unreadable },
    oldest_due_ms: oldestDueMs ?? null,
  };
}
