import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../shared/domain/errors.js';
import { flowDue } from '../../shared/domain/flow/flow-key.js';
import { EVERYTHING } from '../../shared/domain/flow/flow-policy.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { TaskView } from '../../shared/queue/tasks/task-view.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import { jsonAnswer } from '../http/answer.js';
import { readAskedChange, readReasonBody } from '../http/asked-change.js';
import type { LargeAnswers } from '../http/large-answers.js';
import { performed } from '../http/operator-action.js';
import { parseWords } from '../http/query.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import type { WorkTurns } from '../http/work-turns.js';
import { answerToCancel, answerToRetryNow, taskNotFound } from './action-answers.js';
import { hasLargeMessage } from './large-task.js';
import { toWireTask } from './view.js';
import { namesOf, type WaitingFacts } from './waiting-for.js';

export interface TaskParts {
  readonly queue: TaskQueue;
  readonly fleetSettings: Pick<FleetSettings, 'view'>;
  /** What is shown of the paths of urls. */
  readonly mask: PathMask;
  readonly largeAnswers: LargeAnswers;
  readonly turns: WorkTurns;
  readonly logger: Logger;
}

/** Calls about a task that is stored already; submit-routes.ts stores it. */
export const taskRoutes: readonly Route<TaskParts>[] = [
  {
    method: 'GET',
    path: '/tasks/:id',
    role: 'any_key',
    body: 'none',
    query: ['include'],
    operationId: 'readTask',
    metricLabel: '/tasks/:id',
    handle: async (context, parts) => {
      const { queue, mask, largeAnswers, turns } = parts;
      const id = idIn(context);
      const includesMessage = parseWords(context.query, 'include', ['message_data']).has('message_data');
      const view = await queue.find(id, () => largeAnswers.whenRoom(context.response));
      if (view === undefined) throw taskNotFound(id);
      const waiting = view.nextAttemptAt === undefined ? undefined : await findObstacles(view, parts);
      // To decode a message of 6 MiB took 15 ms of this turn, and to print it takes as long.
      if (hasLargeMessage(view.task)) await turns.next();
      return jsonAnswer(200, toWireTask(view, { includesMessage, waiting, mask }));
    },
  },
  {
    method: 'DELETE',
    path: '/tasks/:id',
    role: 'operate',
    body: 'none',
    query: ['reason'],
    operationId: 'cancelTask',
    metricLabel: '/tasks/:id',
    handle: async (context, parts) => {
      const asked = readAskedChange(context);
      const id = idIn(context);
      const operation = { action: 'task.cancel', target: { type: 'task', id }, asked } as const;
      return performed(context, parts, operation, async () => {
        const cancellation = await parts.queue.cancel(id);
        return { result: answerToCancel(id, cancellation), action: cancellation.kind === 'deleted' ? 'task.delete' : 'task.cancel' };
      });
    },
  },
  {
    method: 'POST',
    path: '/tasks/:id/retry',
    role: 'operate',
    body: 'reason',
    query: ['reason'],
    operationId: 'retryTask',
    metricLabel: '/tasks/:id/retry',
    handle: async (context, parts) => {
      const { asked } = await readReasonBody(context);
      const id = idIn(context);
      return performed(context, parts, { action: 'task.retry', target: { type: 'task', id }, asked }, async () => {
        const sent = await parts.queue.retryNow(id);
        return { result: answerToRetryNow(id, sent), count: sent.kind === 'already_due' ? 0 : 1 };
      });
    },
  },
];

async function findObstacles({ task, progress }: TaskView, { queue, fleetSettings, mask }: Pick<TaskParts, 'queue' | 'fleetSettings' | 'mask'>): Promise<WaitingFacts> {
  const { defaultBrokers, circuit } = await fleetSettings.view();
  const flow = flowDue(task, progress.phase, defaultBrokers, mask);
  const snapshot = await queue.withFlow((store) => store.snapshot(flow === undefined ? [EVERYTHING] : namesOf(flow)));
  return { flow, snapshot, rules: circuit };
}

/** An id that no task can have is not an error of the caller: there is no task under it. */
function idIn(context: RequestContext): string {
  const id = context.param('id');
  if (!id.isWellFormed()) throw new RequestError('task_not_found', 'no task with such an id is known');
  return id;
}
