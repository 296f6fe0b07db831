import { Router } from 'express';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';

const LIMIT_MS = 1_000;

/** /health (the seed form), /livez (this process), /readyz (this process and what it needs). */
export function healthRoutes(queue: Pick<TaskQueue, 'ping'>): Router {
  const router = Router();

  router.get('/health', async (_request, response) => {
    if (await answers(queue)) response.json({ status: 'healthy' });
    else response.status(503).json({ status: 'unhealthy', error: 'redis connection failed' });
  });

  router.get('/livez', (_request, response) => {
    response.json({ status: 'alive' });
  });

  router.get('/readyz', async (_request, response) => {
    const isReady = await answers(queue);
    response.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'not_ready', checks: { redis: isReady ? 'ok' : 'failed' } });
  });

  return router;
}

async function answers(queue: Pick<TaskQueue, 'ping'>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), LIMIT_MS);
  });
  try {
    return await Promise.race([queue.ping().then(() => true), limit]);
  } catch {
    return false; // the answer says so; the connection's owner logs why
  } finally {
    clearTimeout(timer);
  }
}
