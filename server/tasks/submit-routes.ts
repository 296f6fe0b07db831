import type { SecretBox } from '../../shared/domain/secrets/secret-box.js';
import type { Logger } from '../../shared/logging/logger.js';
import { jsonAnswer } from '../http/answer.js';
import type { BodyBudget } from '../http/body-budget.js';
import { idempotencyKeyOf } from '../http/idempotency-key.js';
import { readJsonBody } from '../http/json-body.js';
import type { Route } from '../http/route.js';
import type { WorkTurns } from '../http/work-turns.js';
import { submitBatch, type BatchDeps } from './batch-submission.js';
import { contentInTurns, hasLargeMessage } from './large-task.js';
import type { ParseTask } from './schema.js';
import type { SubmitTask } from './submit-task.js';
import { submittedTraceOf, submitTraced } from './submitted-trace.js';

export interface SubmitParts {
  readonly parseTask: ParseTask;
  readonly submitTask: SubmitTask;
  /** The result of one task, alone or in a batch. */
  readonly maxBodyBytes: number;
  readonly batch: BatchDeps['batch'];
  readonly bodyBudget: BodyBudget;
  readonly turns: WorkTurns;
  readonly secrets: SecretBox;
  readonly logger: Logger;
  /** See BatchDeps. */
  readonly noteRefusal: BatchDeps['noteRefusal'];
  readonly rateLimiter: BatchDeps['rateLimiter'];
  readonly shardOf: BatchDeps['shardOf'];
}

const BATCH_TAKES_MANY = 'POST /tasks/batch takes many tasks: an array, or a task a line with Content-Type: application/x-ndjson';

/** The two calls that bring tasks in. */
export const submitRoutes: readonly Route<SubmitParts>[] = [
  {
    method: 'POST',
    path: '/tasks',
    role: 'submit',
    isNarrowed: true,
    body: 'json',
    query: [],
    operationId: 'submitTask',
    metricLabel: '/tasks',
    handle: async (context, { parseTask, submitTask, maxBodyBytes, bodyBudget, turns, secrets }) => {
      const { request } = context;
      const idempotencyKey = idempotencyKeyOf(request);
      const held = bodyBudget.open(request);
      try {
        const task = parseTask(await readJsonBody(context, maxBodyBytes, { code: 'invalid_task', many: BATCH_TAKES_MANY, large: { held, turns }, limit: 'MAX_MESSAGE_BYTES', mayRepeatNames: true }));
        const content = hasLargeMessage(task) ? await contentInTurns(task, turns, secrets) : undefined;
        // Its turns may have taken long, too.
        if (content !== undefined && context.isAccessOld) await context.renewAccess();
        if (context.span !== undefined) return await submitTraced(context.span, request, task.id, (trace) => submitTask(task, context.caller, idempotencyKey, trace, content));
        const { status, body } = await submitTask(task, context.caller, idempotencyKey, submittedTraceOf(request), content);
        return jsonAnswer(status, body);
      } finally {
        held.release();
      }
    },
  },
  {
    method: 'POST',
    path: '/tasks/batch',
    role: 'submit',
    isNarrowed: true,
    body: 'json_or_ndjson',
    query: [],
    operationId: 'submitTasks',
    metricLabel: '/tasks/batch',
    handle: submitBatch,
  },
];
