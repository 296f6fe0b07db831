import { mayUseClient, type Caller } from '../../shared/domain/access/caller.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { Task } from '../../shared/domain/task/task.js';
import type { SubmittedTrace } from '../../shared/domain/trace-context.js';
import type { Admission } from '../../shared/queue/tasks/submission.js';
import type { TaskContent } from '../../shared/queue/tasks/task-codec.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { TaskView } from '../../shared/queue/tasks/task-view.js';
import type { ClientQuotas } from '../access/client-quotas.js';
import { forbidden } from '../access/access-check.js';
import { printTime } from '../http/print-time.js';

/** The answer to a task that was stored, or is stored already. */
export interface Acceptance {
  readonly status: 200 | 201;
  readonly body: {
    readonly message: string;
    readonly id: string;
    readonly state: string;
    readonly run: number;
    readonly next_attempt_at: string | null;
    /** A request before this one has brought the task, and this one has changed nothing. */
    readonly is_duplicate: boolean;
  };
}

/**
 * Submits one task, alone or of a batch.
 * @param caller         the client of the task must be one of its own
 * @param idempotencyKey '' for none
 * @param trace          kept with the task; undefined: it came in none
 * @param content        of a large task, which is made before: see large-task.ts
 * @throws RequestError forbidden, conflict, parked, quota_exceeded, redis_unavailable, redis_full, redis_refused
 */
export type SubmitTask = (task: Task, caller: Caller, idempotencyKey: string, trace: SubmittedTrace | undefined, content?: TaskContent) => Promise<Acceptance>;

/**
 * @param quotas    a repetition needs no room for a new task, so Redis decides about those that have none
 * @param checkRoom throws RequestError redis_full while new tasks would take the workers' reserve
 * @param onCreated is told the task of each new run
 */
export function createSubmitTask(queue: TaskQueue, quotas: Pick<ClientQuotas, 'take'>, checkRoom: () => void, onCreated: (task: Task) => void): SubmitTask {
  return async (task, caller, idempotencyKey, trace, content) => {
    if (!mayUseClient(caller, task.clientId)) throw forbidden('a key that is bound to the client_id of this task', 'foreign_client');
    checkRoom();
    const taken = quotas.take(task.clientId);
    // To wait for a value that is no promise would delay every submission.
    const place = taken instanceof Promise ? await taken : taken;
    // An answer of Redis that is lost may have been that of a new task.
    let isNew = true;
    try {
      const admission = await queue.submit(task, content, idempotencyKey, { isBound: caller.clientIds !== undefined, isFull: !place.hasRoom, trace });
      isNew = admission.kind === 'created';
      if (isNew) onCreated(task);
      return await answerTo(task, admission, queue);
    } finally {
      place.end(isNew);
    }
  };
}

async function answerTo(task: Task, admission: Admission, queue: TaskQueue): Promise<Acceptance> {
  const { id, clientId } = task;
  switch (admission.kind) {
    case 'created':
      return {
        status: 201,
        body: { message: `Task ${id} scheduled successfully`, id, state: 'scheduled', run: admission.run, next_attempt_at: printTime(admission.dueAt), is_duplicate: false },
      };
    case 'already_scheduled': {
      const view = await findReadable(id, queue);
      const nextAttemptAt = view?.nextAttemptAt;
      return {
        status: 200,
        body: {
          message: `Task ${id} is already scheduled`,
          id,
          // It was live when it was submitted. It has gone since, or a newer version wrote it.
          state: view?.state ?? 'scheduled',
          run: view?.progress.run ?? 1,
          next_attempt_at: nextAttemptAt === undefined ? null : printTime(nextAttemptAt),
          is_duplicate: true,
        },
      };
    }
    case 'repeated': {
      const { state, run } = admission;
      return { status: 200, body: { message: `Task ${id} was submitted with this Idempotency-Key before, and is ${state}`, id, state, run, next_attempt_at: null, is_duplicate: true } };
    }
    case 'other_content_of_key':
      throw new RequestError('conflict', `a task ${JSON.stringify(id)} with other content was submitted with this Idempotency-Key before; nothing was changed`);
    case 'other_content':
      throw new RequestError('conflict', `a task ${JSON.stringify(id)} with other content is not finished yet; nothing was changed`);
    case 'foreign':
      throw new RequestError('conflict', `the id ${JSON.stringify(id)} is taken; nothing was changed`, undefined, { notes: { reason: 'foreign_id' } });
    case 'no_room':
      throw new RequestError('quota_exceeded', `the client ${JSON.stringify(clientId)} has as many tasks as its quota allows; nothing was stored`, undefined, { notes: { reason: 'quota', limit: 'quota of the client' } });
    case 'parked':
      throw new RequestError('parked', `a task ${JSON.stringify(id)} is parked and the only copy left: change it (PATCH), start it again (POST .../retry) or delete it (DELETE) first`);
  }
}

async function findReadable(id: string, queue: TaskQueue): Promise<TaskView | undefined> {
  try {
    return await queue.find(id);
  } catch (error) {
    if (error instanceof RequestError && error.code === 'task_unreadable') return undefined;
    throw error;
  }
}
