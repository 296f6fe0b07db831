import { hash } from 'node:crypto';
import { RequestError } from '../../shared/domain/errors.js';
import type { UncheckedFields } from '../../shared/domain/destinations/destination-row.js';
import { mergePatch, shownSubmissionOf, submissionOf } from '../../shared/domain/task/task-patch.js';
import { SealedTextError, type SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { taskFields } from '../../shared/domain/task/task-fields.js';
import { openTask } from '../../shared/domain/task/task-secrets.js';
import type { Task } from '../../shared/domain/task/task.js';
import type { Logger } from '../../shared/logging/logger.js';
import { haveSameFields } from '../../shared/queue/tasks/task-codec.js';
import type { TaskView } from '../../shared/queue/tasks/task-view.js';
import { jsonAnswer } from '../http/answer.js';
import { askedChange, type AskedChange } from '../http/asked-change.js';
import type { BodyBudget } from '../http/body-budget.js';
import { readJsonBody } from '../http/json-body.js';
import type { LargeAnswers } from '../http/large-answers.js';
import { performed, type Performed } from '../http/operator-action.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import { refuseEdit } from './action-answers.js';
import { findOwnTask } from './find-own-task.js';
import { dataInTurns, hasLargeMessage } from './large-task.js';
import { readPatch } from './patch-body.js';
import type { ParseTask } from './schema.js';
import { showTask, type ShowTaskParts } from './show-task.js';
import { taskIdIn } from './task-id-in.js';

export interface EditParts extends ShowTaskParts {
  readonly parseTask: ParseTask;
  readonly maxBodyBytes: number;
  readonly bodyBudget: BodyBudget;
  readonly largeAnswers: LargeAnswers;
  readonly secrets: SecretBox;
  readonly logger: Logger;
}

/** Between our look and the change the task may have been sent, or changed by others; give up after this. */
const MAX_ROUNDS = 20;
const FLOW_KEY = taskFields.flowKey.wire;

/** Calls that show and change what a client handed over. */
export const editRoutes: readonly Route<EditParts>[] = [
  {
    method: 'PATCH',
    path: '/tasks/:id',
    role: 'operate',
    permission: 'edit',
    isNarrowed: true,
    body: 'merge_patch',
    query: ['reason'],
    operationId: 'editTask',
    metricLabel: '/tasks/:id',
    handle: async (context, parts) => {
      const id = taskIdIn(context);
      const asked = askedChange(context);
      const held = parts.bodyBudget.open(context.request);
      try {
        const patch = readPatch(await readJsonBody(context, parts.maxBodyBytes, { code: 'invalid_task', large: { held, turns: parts.turns }, limit: 'MAX_MESSAGE_BYTES' }));
        // What is answered by this look alone waits for replicas: it may be what an earlier call has written, and found too few of them.
        const before = await parts.queue.lasting({ task: id }, () => findOpenTask(id, context, parts));
        const isSame = haveSameFields(changed(before, patch, parts), before.task);
        const operation = { action: 'task.edit', target: { type: 'task', id }, asked } as const;
        // A request that changes nothing leaves no trace: it may be one whose answer was lost.
        const view = isSame ? before : await performed(context, parts, operation, () => edit(before, patch, { context, asked, parts }));
        return await showTask(view, context.caller, false, parts);
      } finally {
        held.release();
      }
    },
  },
  {
    method: 'GET',
    path: '/tasks/:id/submission',
    role: 'read',
    permission: 'payload',
    isNarrowed: true,
    body: 'none',
    query: [],
    operationId: 'readSubmission',
    metricLabel: '/tasks/:id/submission',
    handle: async (context, parts) => {
      const { task } = await findOwnTask(taskIdIn(context), context, parts);
      if (hasLargeMessage(task)) await parts.turns.next();
      return jsonAnswer(200, shownSubmissionOf(task));
    },
  },
];

/** With its secrets decrypted, since what is not changed of them stays. @throws RequestError task_not_found, task_unreadable */
async function findOpenTask(id: string, context: RequestContext, parts: EditParts): Promise<TaskView> {
  const found = await findOwnTask(id, context, parts);
  try {
    return { ...found, task: openTask(found.task, parts.secrets) };
  } catch (error) {
    if (error instanceof SealedTextError) throw new RequestError('task_unreadable', `the headers of the task cannot be decrypted: ${error.message}`, undefined, { cause: error });
    throw error;
  }
}

/** The task with the changes, checked as a whole. @throws RequestError invalid_task, too_large */
function changed({ task, progress, finishedAt }: TaskView, patch: UncheckedFields, { parseTask }: EditParts): Task {
  const after = withOldFlowKey(task, mergePatch(task, patch), parseTask);
  if (after.deadDestination === undefined && progress.phase === 'dead' && finishedAt === undefined) {
    const message = 'dead_destination is required: the retries of this task are over, and its dead letter is under way';
    throw new RequestError('invalid_task', message, [{ field: 'dead_destination', message }]);
  }
  return after;
}

/** A task that an older version took may have a flow_key that is refused now, such as `*`: one that stays as it is does not keep the rest from being mended. */
function withOldFlowKey({ flowKey }: Task, merged: UncheckedFields, parseTask: ParseTask): Task {
  const { [FLOW_KEY]: wanted, ...others } = merged;
  return flowKey === undefined || wanted !== flowKey ? parseTask(merged) : { ...parseTask(others), flowKey };
}

interface Editing {
  readonly context: RequestContext;
  readonly asked: AskedChange;
  readonly parts: EditParts;
}

/** @returns the task after the change, and which fields differ. @throws RequestError task_not_found, being_sent, finished, and those of `changed` */
async function edit(found: TaskView, patch: UncheckedFields, { context, asked, parts }: Editing): Promise<Performed<TaskView>> {
  const { id } = found.task;
  let before = found;
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const after = changed(before, patch, parts);
    // Another call has made the same change meanwhile.
    if (haveSameFields(after, before.task)) return { result: before, isUnchanged: true };
    const data = await dataInTurns(after, before.edits + 1, parts.turns, parts.secrets);
    const result = await parts.queue.edit({ before, after, data, by: asked.by });
    if (result.kind !== 'changed' && result.kind !== 'edited') throw refuseEdit(id, result);
    const now = await findOpenTask(id, context, parts);
    if (result.kind === 'edited') return { result: now, fields: differingFields(before.task, after) };
    before = now;
  }
  throw new RequestError('redis_unavailable', 'the task was changed again and again by others');
}

/** For the audit. A message may have megabytes, so its hash stands for it. */
function differingFields(before: Task, after: Task): NonNullable<Performed<unknown>['fields']> {
  const isSameMessage = before.messageData === after.messageData;
  const fieldsOf = (task: Task): UncheckedFields => {
    const { message_data: _message, ...fields } = submissionOf(task);
    return isSameMessage ? fields : { ...fields, message_data: hash('sha256', task.messageData, 'base64url') };
  };
  return { before: fieldsOf(before), after: fieldsOf(after) };
}
