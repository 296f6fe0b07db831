import type { RequestListener } from 'node:http';
import express from 'express';
import type { CircuitRules } from '../shared/domain/flow/circuit.js';
import { RequestError } from '../shared/domain/errors.js';
import type { DefaultBrokers } from '../shared/domain/flow/flow-key.js';
import type { Clock } from '../shared/domain/ports.js';
import type { Jitter } from '../shared/domain/task/retry-policy.js';
import type { Logger } from '../shared/logging/logger.js';
import type { TaskQueue } from '../shared/queue/tasks/task-queue.js';
import { destinationRoutes } from './flow/routes.js';
import { healthRoutes } from './health/routes.js';
import { allowMethods } from './http/allow-methods.js';
import { errorResponse } from './http/error-response.js';
import { maxBodyBytes } from './http/json-body.js';
import { fastPathFirst, fastPathInExpress } from './http/fast-path.js';
import { apiDocs } from './ops/api-docs.js';
import { BOARD_PATH, bullBoard } from './ops/bull-board.js';
import { queueRoutes } from './stats/routes.js';
import { taskRoutes } from './tasks/routes.js';
import { createTaskParser } from './tasks/schema.js';
import { submitRoutes } from './tasks/submit-routes.js';
import { createSubmitTask } from './tasks/submit-task.js';

export interface AppDeps {
  readonly queue: TaskQueue;
  /** True while new tasks would take the memory that the workers need. */
  readonly isRedisAboveMark: () => boolean;
  readonly maxMessageBytes: number;
  /** Of tasks that name none. */
  readonly defaultJitter: Jitter;
  /** For how long a task counts as unreadable after a worker last failed to read it, ms. */
  readonly unreadableForMs: number;
  /** When a circuit counts as open. */
  readonly circuit: CircuitRules;
  readonly defaultBrokers: DefaultBrokers;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The API without a port. */
export function createApp({ queue, isRedisAboveMark, maxMessageBytes, defaultJitter, unreadableForMs, circuit, defaultBrokers, clock, logger }: AppDeps): RequestListener {
  const submissions = submitRoutes({
    parseTask: createTaskParser({ maxMessageBytes, defaultJitter }),
    submitTask: createSubmitTask(queue, () => {
      if (isRedisAboveMark()) throw new RequestError('redis_full', 'redis has used up its memory for new tasks');
    }),
    maxBodyBytes: maxBodyBytes(maxMessageBytes),
    logger,
  });
  const app = express();
  app.disable('x-powered-by');
  // Nothing here is worth a hash of every answer.
  app.disable('etag');
  app.use(fastPathInExpress(submissions));
  app.use('/tasks', taskRoutes({ queue, circuit, defaultBrokers, clock }));
  app.use('/destinations', destinationRoutes({ queue, circuit, defaultBrokers }));
  app.use(queueRoutes({ queue, unreadableForMs }));
  app.use(healthRoutes(queue));
  app.use(BOARD_PATH, bullBoard(queue));
  app.use(apiDocs());
  app.use(allowMethods());
  app.use(errorResponse(logger));
  return fastPathFirst(submissions, app, logger);
}
