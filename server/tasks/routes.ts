import { Router } from 'express';
import type { CircuitRules } from '../../shared/domain/circuit.js';
import { RequestError } from '../../shared/domain/errors.js';
import { flowDue } from '../../shared/domain/flow-key.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { Task } from '../../shared/domain/task.js';
import type { Admission } from '../../shared/queue/submission.js';
import type { TaskQueue } from '../../shared/queue/task-queue.js';
import type { TaskView } from '../../shared/queue/task-view.js';
import { readJsonBody } from '../middleware/json-body.js';
import { sendJson } from '../middleware/send-json.js';
import { printTime } from '../print-time.js';
import { answerToCancel, answerToSendNow, taskNotFound, type Answer } from './action-answers.js';
import { printTask } from './view.js';
import type { ParseTask } from './schema.js';
import type { WaitingFacts } from './waiting-for.js';

export interface TaskRoutesDeps {
  readonly queue: TaskQueue;
  readonly parseTask: ParseTask;
  readonly maxBodyBytes: number;
  /** Throws RequestError redis_full while new tasks would take the workers' reserve. */
  readonly checkRoom: () => void;
  /** When a circuit counts as open. */
  readonly circuit: CircuitRules;
  readonly clock: Clock;
}

export function taskRoutes({ queue, parseTask, maxBodyBytes, checkRoom, circuit, clock }: TaskRoutesDeps): Router {
  const router = Router();

  router.post('/', async (request, response) => {
    const task = parseTask(await readJsonBody(request, maxBodyBytes));
    checkRoom();
    const answer = await answerTo(task, await queue.submit(task), queue);
    sendJson(response, answer.status, answer.body);
  });

  router.get('/:id', async (request, response) => {
    const id = parseId(request.params.id);
    const view = await queue.find(id);
    if (view === undefined) throw taskNotFound(id);
    const waiting = view.nextAttemptAt === undefined ? undefined : await findObstacles(view, queue, circuit);
    response.json(printTask(view, { includesMessage: includes(request.query['include'], 'message_data'), now: clock(), waiting }));
  });

  router.delete('/:id', async (request, response) => {
    const id = parseId(request.params.id);
    const { status, body } = answerToCancel(id, await queue.cancel(id));
    response.status(status).json(body);
  });

  // A body is not read: Node takes it off the connection when the answer is sent.
  router.post('/:id/retry', async (request, response) => {
    const id = parseId(request.params.id);
    const { status, body } = answerToSendNow(id, await queue.sendNow(id));
    response.status(status).json(body);
  });

  return router;
}

async function answerTo(task: Task, admission: Admission, queue: TaskQueue): Promise<Answer> {
  const { id } = task;
  switch (admission.kind) {
    case 'created':
      return {
        status: 201,
        body: { message: `Task ${id} scheduled successfully`, id, state: 'scheduled', run: admission.run, next_attempt_at: printTime(admission.dueAt) },
      };
    case 'already_scheduled': {
      const view = await findReadable(id, queue);
      const nextAttemptAt = view?.nextAttemptAt;
      return {
        status: 200,
        body: {
          message: `Task ${id} is already scheduled`,
          id,
          // Gone between the two calls, or of a newer version: it was live when it was submitted.
          state: view?.state ?? 'scheduled',
          run: view?.progress.run ?? 1,
          next_attempt_at: nextAttemptAt === undefined ? null : printTime(nextAttemptAt),
        },
      };
    }
    case 'other_content':
      throw new RequestError('conflict', `a task ${JSON.stringify(id)} with other content is not finished yet; nothing was changed`);
    case 'parked':
      throw new RequestError('parked', `a task ${JSON.stringify(id)} is parked and the only copy left; redrive or delete it first`);
  }
}

async function findObstacles({ task, progress }: TaskView, queue: TaskQueue, rules: CircuitRules): Promise<WaitingFacts> {
  const flow = flowDue(task, progress.phase);
  const standing = await queue.withFlow((store) => store.standing(flow === undefined ? [] : [flow.key, flow.group]));
  return { flow, standing, rules };
}

async function findReadable(id: string, queue: TaskQueue): Promise<TaskView | undefined> {
  try {
    return await queue.find(id);
  } catch (error) {
    if (error instanceof RequestError && error.code === 'task_unreadable') return undefined;
    throw error;
  }
}

/** An id that no task can have is no bug of the caller: there is just nothing under it. */
function parseId(id: string): string {
  if (!id.isWellFormed()) throw new RequestError('task_not_found', 'no task with such an id is known');
  return id;
}

function includes(query: unknown, name: string): boolean {
  return typeof query === 'string' && query.split(',').includes(name);
}
