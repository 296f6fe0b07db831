import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { jsonAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';

const LIMIT_MS = 1_000;

export interface HealthParts {
  readonly queue: Pick<TaskQueue, 'ping'>;
}

/** /health (the seed form), /livez (this process), /readyz (this process and what it needs). */
export const healthRoutes: readonly Route<HealthParts>[] = [
  {
    method: 'GET',
    path: '/health',
    role: 'none',
    body: 'none',
    query: [],
    operationId: 'health',
    metricLabel: '/health',
    handle: async (_context, { queue }) =>
      (await answers(queue)) ? jsonAnswer(200, { status: 'healthy' }) : jsonAnswer(503, { status: 'unhealthy', error: 'redis connection failed' }),
  },
  {
    method: 'GET',
    path: '/livez',
    role: 'none',
    body: 'none',
    query: [],
    operationId: 'livez',
    metricLabel: '/livez',
    handle: async () => jsonAnswer(200, { status: 'alive' }),
  },
  {
    method: 'GET',
    path: '/readyz',
    role: 'none',
    body: 'none',
    query: [],
    operationId: 'readyz',
    metricLabel: '/readyz',
    handle: async (_context, { queue }) => {
      const isReady = await answers(queue);
      return jsonAnswer(isReady ? 200 : 503, { status: isReady ? 'ready' : 'not_ready', checks: { redis: isReady ? 'ok' : 'failed' } });
    },
  },
];

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
