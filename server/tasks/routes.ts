import type { Logger } from '../../shared/logging/logger.js';
import { needPermission } from '../access/need-permission.js';
import { readAskedChange, readReasonBody } from '../http/asked-change.js';
import type { LargeAnswers } from '../http/large-answers.js';
import { performed } from '../http/operator-action.js';
import { parseWords } from '../http/query.js';
import type { Route } from '../http/route.js';
import { answerToCancel, answerToRetryNow } from './action-answers.js';
import { findOwnTask } from './find-own-task.js';
import { showTask, type ShowTaskParts } from './show-task.js';
import { taskIdIn } from './task-id-in.js';

export interface TaskParts extends ShowTaskParts {
  readonly largeAnswers: LargeAnswers;
  readonly logger: Logger;
}

/** What DELETE does, by the state of the task. A caller that means one of them says so: a task may have been parked a moment before. */
const removals = ['cancel', 'delete'] as const;

/** Calls about a task that is stored already; submit-routes.ts stores it. */
export const taskRoutes: readonly Route<TaskParts>[] = [
  {
    method: 'GET',
    path: '/tasks/:id',
    role: 'any_key',
    isNarrowed: true,
    body: 'none',
    query: ['include'],
    operationId: 'readTask',
    metricLabel: '/tasks/:id',
    handle: async (context, parts) => {
      const id = taskIdIn(context);
      const includesMessage = parseWords(context.query, 'include', ['message_data']).has('message_data');
      if (includesMessage) needPermission(context.caller, 'payload');
      return showTask(await findOwnTask(id, context, parts), context.caller, includesMessage, parts);
    },
  },
  {
    method: 'DELETE',
    path: '/tasks/:id',
    role: 'operate',
    orElse: { role: 'submit', permission: 'cancel' },
    isNarrowed: true,
    body: 'none',
    query: ['reason', 'action'],
    operationId: 'cancelTask',
    metricLabel: '/tasks/:id',
    handle: async (context, parts) => {
      const asked = readAskedChange(context);
      const id = taskIdIn(context);
      const wanted = parseWords(context.query, 'action', removals);
      const operation = { action: 'task.cancel', target: { type: 'task', id }, asked } as const;
      return performed(context, parts, operation, async () => {
        const actions = removals.filter((each) => wanted.size === 0 || wanted.has(each));
        const cancellation = await parts.queue.cancel(id, { by: asked.by, clientIds: context.caller.clientIds }, actions);
        return { result: answerToCancel(id, cancellation), action: cancellation.kind === 'deleted' ? 'task.delete' : 'task.cancel' };
      });
    },
  },
  {
    method: 'POST',
    path: '/tasks/:id/retry',
    role: 'operate',
    isNarrowed: true,
    body: 'reason',
    query: ['reason'],
    operationId: 'retryTask',
    metricLabel: '/tasks/:id/retry',
    handle: async (context, parts) => {
      const { asked } = await readReasonBody(context);
      const id = taskIdIn(context);
      return performed(context, parts, { action: 'task.retry', target: { type: 'task', id }, asked }, async () => {
        const sent = await parts.queue.retryNow(id, { by: asked.by, clientIds: context.caller.clientIds });
        return { result: answerToRetryNow(id, sent), count: sent.kind === 'already_due' ? 0 : 1 };
      });
    },
  },
];
