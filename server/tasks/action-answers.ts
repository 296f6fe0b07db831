import { RequestError } from '../../shared/domain/errors.js';
import type { Cancellation } from '../../shared/queue/tasks/cancel-task.js';
import type { Edit } from '../../shared/queue/tasks/edit-task.js';
import type { RetryNow } from '../../shared/queue/tasks/retry-now.js';
import { jsonAnswer, type Answer } from '../http/answer.js';
import { printTime } from '../http/print-time.js';

/** @throws RequestError task_not_found, being_sent, finished, parked, conflict */
export function answerToCancel(id: string, cancellation: Cancellation): Answer {
  switch (cancellation.kind) {
    case 'cancelled':
      return jsonAnswer(200, { message: `Task ${id} cancelled`, id, state: 'cancelled' });
    case 'deleted':
      return jsonAnswer(200, { message: `Task ${id} deleted`, id, state: 'deleted' });
    case 'being_sent':
      throw beingSent(id);
    case 'finished':
      throw new RequestError('finished', `task ${JSON.stringify(id)} is ${cancellation.state} already: there is nothing left to cancel`);
    case 'parked':
      throw new RequestError('parked', `task ${JSON.stringify(id)} is parked, and the only copy of its message: action=cancel leaves it, and action=delete removes it for good`);
    case 'waits':
      throw new RequestError('conflict', `task ${JSON.stringify(id)} is ${cancellation.state}: action=delete removes parked tasks alone, and action=cancel cancels it`);
    case 'not_found':
    case 'foreign':
      throw taskNotFound(id, cancellation.kind);
  }
}

/** @throws RequestError task_not_found, being_sent, finished */
export function answerToRetryNow(id: string, sent: RetryNow): Answer {
  switch (sent.kind) {
    case 'retried_now':
      return jsonAnswer(202, { message: `Task ${id} is due now`, id, state: sent.state, run: sent.run, next_attempt_at: printTime(sent.dueAt) });
    case 'redriven':
      return jsonAnswer(202, { message: `Task ${id} starts again`, id, state: 'scheduled', run: sent.run, next_attempt_at: printTime(sent.dueAt) });
    case 'already_due':
      return jsonAnswer(200, { message: `Task ${id} is due already`, id, state: sent.state, run: sent.run, next_attempt_at: printTime(sent.dueAt) });
    case 'being_sent':
      throw beingSent(id);
    case 'finished':
      throw new RequestError('finished', `task ${JSON.stringify(id)} is ${sent.state}: to have it sent again, submit it again`);
    case 'not_found':
    case 'foreign':
      throw taskNotFound(id, sent.kind);
  }
}

/** Why a task was not changed. */
export function refuseEdit(id: string, edit: Exclude<Edit, { kind: 'edited' | 'changed' }>): RequestError {
  switch (edit.kind) {
    case 'being_sent':
      return beingSent(id);
    case 'finished':
      return new RequestError('finished', `task ${JSON.stringify(id)} is ${edit.state} already, and cannot be changed any more: submit it again with other content`);
    case 'not_found':
      return taskNotFound(id);
  }
}

/** @param kind `foreign`: it is a task of another client. Only the log says so. */
export function taskNotFound(id: string, kind: 'not_found' | 'foreign' = 'not_found'): RequestError {
  return new RequestError('task_not_found', `no task ${JSON.stringify(id)} is known: ${WHY_NOT_KNOWN}`, undefined, kind === 'foreign' ? { notes: { reason: 'foreign_task' } } : {});
}

/** Every record that is gone went by one of these settings, or was deleted by a person. */
export const WHY_NOT_KNOWN = 'it was never submitted, or its record is gone (see DELIVERED_RETENTION and DELIVERED_MAX; for a dead letter DEAD_LETTER_RETENTION)';

function beingSent(id: string): RequestError {
  return new RequestError('being_sent', `task ${JSON.stringify(id)} is in the hands of a worker; nothing was changed`);
}
