import { Router } from 'express';
import type { CircuitRules } from '../../shared/domain/flow/circuit.js';
import { RequestError } from '../../shared/domain/errors.js';
import { flowDue, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { TaskView } from '../../shared/queue/tasks/task-view.js';
import { answerToCancel, answerToRetryNow, taskNotFound } from './action-answers.js';
import { toWireTask } from './view.js';
import type { WaitingFacts } from './waiting-for.js';

export interface TaskRoutesDeps {
  readonly queue: TaskQueue;
  /** When a circuit counts as open. */
  readonly circuit: CircuitRules;
  readonly defaultBrokers: DefaultBrokers;
  readonly clock: Clock;
}

/** What is done with a task that is there already; how it gets there stands in submit-routes.ts. */
export function taskRoutes({ queue, circuit, defaultBrokers, clock }: TaskRoutesDeps): Router {
  const router = Router();

  router.get('/:id', async (request, response) => {
    const id = parseId(request.params.id);
    const view = await queue.find(id);
    if (view === undefined) throw taskNotFound(id);
    const waiting = view.nextAttemptAt === undefined ? undefined : await findObstacles(view, queue, circuit, defaultBrokers);
    response.json(toWireTask(view, { includesMessage: includes(request.query['include'], 'message_data'), now: clock(), waiting }));
  });

  router.delete('/:id', async (request, response) => {
    const id = parseId(request.params.id);
    const { status, body } = answerToCancel(id, await queue.cancel(id));
    response.status(status).json(body);
  });

  // A body is not read: Node takes it off the connection when the answer is sent.
  router.post('/:id/retry', async (request, response) => {
    const id = parseId(request.params.id);
    const { status, body } = answerToRetryNow(id, await queue.retryNow(id));
    response.status(status).json(body);
  });

  return router;
}

async function findObstacles({ task, progress }: TaskView, queue: TaskQueue, rules: CircuitRules, defaultBrokers: DefaultBrokers): Promise<WaitingFacts> {
  const flow = flowDue(task, progress.phase, defaultBrokers);
  const snapshot = await queue.withFlow((store) => store.snapshot(flow === undefined ? [] : [flow.key, flow.host]));
  return { flow, snapshot, rules };
}

/** An id that no task can have is no bug of the caller: there is just nothing under it. */
function parseId(id: string): string {
  if (!id.isWellFormed()) throw new RequestError('task_not_found', 'no task with such an id is known');
  return id;
}

function includes(query: unknown, name: string): boolean {
  return typeof query === 'string' && query.split(',').includes(name);
}
