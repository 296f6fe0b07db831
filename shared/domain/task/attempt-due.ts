import type { AttemptRecord, LogEntry } from './attempt-record.js';
import { wholeMs } from './retry-policy.js';
import type { Task } from './task.js';

/**
 * When the next send of a task is due by its schedule. Whatever happens after that makes it late: it waits for a slot, flow control
 * puts it back, its worker dies.
 *
 * | the send | due |
 * |---|---|
 * | the first of a submission | createdAt and the initial delay |
 * | the first of a redrive | when it was redriven |
 * | one after a failure | when the send before it ended, and the wait that was decided then |
 * | the first to the dead destination | when the last delivery ended |
 *
 * A person may have it sent before it is due.
 *
 * @param log       entries of the current run, the oldest first
 * @param createdAt when it was submitted, ms since the epoch
 * @returns ms since the epoch; undefined when an older version recorded the failure, without the wait, or the task has ended
 */
export function attemptDueAt({ retryPolicy }: Pick<Task, 'retryPolicy'>, log: readonly LogEntry[], createdAt: number): number | undefined {
  // Nearly every task has an empty log.
  const last = log.length === 0 ? undefined : log.findLast((entry) => entry.kind === 'attempt' || entry.kind === 'redrive');
  if (last === undefined) return createdAt + wholeMs(retryPolicy.initialDelayMs);
  return last.kind === 'redrive' ? last.at : dueAfter(last);
}

/** @returns when the send that follows this record is due, ms since the epoch; undefined when none follows, or an older version wrote it */
export function dueAfter({ at, ms, next, delayMs }: AttemptRecord): number | undefined {
  switch (next) {
    case 'retry':
      return delayMs === undefined ? undefined : at + ms + delayMs;
    case 'dead_letter':
      return at + ms;
    case 'dead_lettered':
    case 'park':
      return undefined;
  }
}
