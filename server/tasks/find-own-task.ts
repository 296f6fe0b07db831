import { mayUseClient } from '../../shared/domain/access/caller.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { TaskView } from '../../shared/queue/tasks/task-view.js';
import type { LargeAnswers } from '../http/large-answers.js';
import type { RequestContext } from '../http/request-context.js';
import { taskNotFound } from './action-answers.js';

export interface FindOwnTaskParts {
  readonly queue: Pick<TaskQueue, 'findOf'>;
  readonly largeAnswers: LargeAnswers;
}

/**
 * A task, if it exists for the caller: a task of another client does not.
 * @throws RequestError task_not_found, task_unreadable
 */
export async function findOwnTask(id: string, { caller, response }: RequestContext, { queue, largeAnswers }: FindOwnTaskParts): Promise<TaskView> {
  try {
    const view = await queue.findOf(id, caller.clientIds, () => largeAnswers.whenRoom(response));
    if (view === undefined) throw taskNotFound(id);
    if (view !== 'foreign' && mayUseClient(caller, view.task.clientId)) return view;
  } catch (error) {
    // Nothing tells whose it is.
    if (!(error instanceof RequestError) || error.code !== 'task_unreadable' || caller.clientIds === undefined) throw error;
  }
  throw taskNotFound(id, 'foreign');
}
