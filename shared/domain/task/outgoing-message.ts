import { failedAt, type TaskProgress } from './attempt-record.js';
import { rowOf } from '../destinations/destination.js';
import type { PathMask } from '../destinations/path-mask.js';
import type { DeliveryAttempt } from '../ports.js';
import type { TraceContext } from '../trace-context.js';
import type { Task } from './task.js';

const MAX_ERROR_CHARACTERS = 500;
const NO_BROKERS: ReadonlySet<string> = new Set();

/**
 * The send that is due for a task, by its phase.
 * Delivery: key `<id>|<attempt>`. Dead letter: key `<id>|dead|<sends made to the destination>`, so `t|dead|3` for
 * max_retries 2 after full exhaustion; the same body, and the headers that say what happened.
 *
 * No two sends have the same key and run, because no id ends in `|dead`: see task-id.ts. An exception is a send that is made again
 * after a person has changed the task: then `x-retry-edit` differs.
 *
 * @param edit  how often the task was changed in its life
 * @param trace what is sent with it of a trace, in both phases
 */
export function attemptToSend(task: Task, progress: TaskProgress, mask: PathMask, edit = 0, defaultBrokers: ReadonlySet<string> = NO_BROKERS, trace?: TraceContext): DeliveryAttempt {
  const attempt = progress.phase === 'delivery' ? deliveryAttempt(task, progress, trace) : deadLetter(task, progress, mask, defaultBrokers, trace);
  // Nearly no task was ever changed.
  return edit === 0 ? attempt : { ...attempt, edit, headers: { ...attempt.headers, 'x-retry-edit': String(edit) } };
}

function deliveryAttempt(task: Task, progress: TaskProgress, trace: TraceContext | undefined): DeliveryAttempt {
  return {
    taskId: task.id,
    run: progress.run,
    edit: 0,
    phase: 'delivery',
    key: `${task.id}|${progress.attempt}`,
    body: task.messageData,
    headers: provenance(task, progress.run, progress.attempt),
    trace,
  };
}

function deadLetter(task: Task, progress: TaskProgress, mask: PathMask, defaultBrokers: ReadonlySet<string>, trace: TraceContext | undefined): DeliveryAttempt {
  const { lastFailure, firstFailedAt, deliverySends } = progress;
  return {
    taskId: task.id,
    run: progress.run,
    edit: 0,
    phase: 'dead',
    key: `${task.id}|dead|${deliverySends}`,
    body: task.messageData,
    headers: {
      // The number of the last attempt made, not of this delivery: a reader compares it with max-retries.
      ...provenance(task, progress.run, Math.max(deliverySends - 1, 0)),
      'x-retry-dead-reason': progress.deadReason ?? 'retries_exhausted',
      'x-retry-error': lastFailure === undefined ? 'unknown' : printFailure(lastFailure.code ?? 'unknown', lastFailure.detail),
      'x-retry-first-failed-at': new Date(firstFailedAt ?? 0).toISOString(),
      'x-retry-last-failed-at': new Date(lastFailure === undefined ? 0 : failedAt(lastFailure)).toISOString(),
      'x-retry-original-destination': rowOf(task.destination.type).flow(task.destination, defaultBrokers, mask).endpoint,
    },
    trace,
  };
}

function provenance(task: Task, run: number, attempt: number): Record<string, string> {
  return {
    'x-retry-task-id': task.id,
    'x-retry-source': task.source,
    'x-retry-client-id': task.clientId,
    'x-retry-attempt': String(attempt),
    'x-retry-max-retries': String(task.retryPolicy.maxRetries),
    'x-retry-run': String(run),
  };
}

/** `http_server_error: HTTP 500 upstream down`: one line, bounded, no control characters. */
export function printFailure(code: string, detail: string | undefined): string {
  const text = detail === undefined || detail === '' ? code : `${code}: ${detail}`;
  // toWellFormed: a cut between the halves of a surrogate pair leaves a half that no header can carry.
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, MAX_ERROR_CHARACTERS).toWellFormed();
}
