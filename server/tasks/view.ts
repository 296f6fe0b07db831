import type { Actor } from '../../shared/domain/actor.js';
import type { AttemptRecord, EditMark, LogEntry } from '../../shared/domain/task/attempt-record.js';
import { printFailure } from '../../shared/domain/task/outgoing-message.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { NameRules } from '../../shared/domain/flow/flow-key.js';
import { shownDestinationsOf } from '../../shared/domain/task/task-patch.js';
import { toWireReceipt } from '../../shared/domain/destinations/destination.js';
import { shownPhase } from '../../shared/domain/task/shown-phase.js';
import { taskFieldRows, type BoundField } from '../../shared/domain/task/task-fields.js';
import type { Task } from '../../shared/domain/task/task.js';
import { sendsOfRun } from '../../shared/queue/scan/found-task.js';
import { searchFieldsOf } from '../../shared/queue/search/search-fields.js';
import type { TaskView } from '../../shared/queue/tasks/task-view.js';
import { printTime } from '../http/print-time.js';
import { summaryFields, type Summarized } from './task-summary.js';
import { waitingFor, type WaitingFacts } from './waiting-for.js';

export interface TaskViewOptions extends NameRules {
  readonly includesMessage: boolean;
  /** Shows the urls that it is sent to, and not only what is no secret of them. */
  readonly includesUrls: boolean;
  readonly waiting: WaitingFacts | undefined;
}

/** Shows a task to clients: our names become wire names here. */
export function toWireTask(view: TaskView, options: TaskViewOptions): object {
  const { task } = view;
  return {
    ...summaryFields(summarized(view, options.mask), waitingFor(view, options.waiting), options),
    attempt: attemptOf(view),
    ...toWirePolicy(task, options.mask),
    ...(options.includesUrls ? shownDestinationsOf(task) : {}),
    ...(options.includesMessage ? { message_data: task.messageData } : {}),
    timeline: toWireTimeline(view),
  };
}

/** The facts of a summary, from the task and its log. A list takes them from the short fields that repeat these. */
function summarized(view: TaskView, mask: PathMask): Summarized {
  const { task, state, progress, failure, bulkActionId } = view;
  const { createdAt, updatedAt, nextAttemptAt, finishedAt, edits } = view;
  const { flowName: _name, ...fields } = searchFieldsOf(task, Buffer.byteLength(task.messageData), mask);
  return { id: task.id, state, run: progress.run, ...fields, ...sendsOfRun(state, failure), createdAt, updatedAt, nextAttemptAt, finishedAt, isPriority: task.isPriority, edits, bulkActionId };
}

/** The number of the send that is due or under way; for a finished task it is the last one. */
function attemptOf({ log, progress, completion, finishedAt }: TaskView): number {
  if (completion?.outcome === 'delivered') return completion.attempt;
  const last = finishedAt === undefined ? undefined : log.findLast((entry) => entry.kind === 'attempt');
  return (last ?? progress).attempt;
}

/** The task as the client asked for it, without the secrets of its destinations. */
export function toWirePolicy(task: Task, mask: PathMask): object {
  return { ...shownFields('body', task, mask), policy: shownFields('policy', task, mask), message_bytes: Buffer.byteLength(task.messageData) };
}

function shownFields(place: BoundField['shown'], task: Task, mask: PathMask): object {
  return Object.assign({}, ...taskFieldRows.filter(({ shown }) => shown === place).map((row) => shownField(row, row.read(task), mask))) as object;
}

function shownField(row: BoundField, value: unknown, mask: PathMask): object {
  if (row.show !== undefined) return row.show(value, mask);
  return value === undefined ? {} : { [row.wire]: value };
}

function toWireTimeline({ log, editMarks, completion, progress, nextAttemptAt }: TaskView): object[] {
  // After a later send has begun, the note of a deferral says nothing about the task any more.
  const told = log.filter((entry, nth) => entry.kind !== 'deferral' || (nth === log.length - 1 && nextAttemptAt !== undefined));
  const entries = withEdits(told, editMarks).map(toWireEntry);
  if (completion === undefined) return entries;
  if (completion.outcome === 'cancelled') return [...entries, { kind: 'cancelled', cancelled_at: printTime(completion.at), run: progress.run, ...toWireDoer(completion) }];
  const { run, attempt, at, ms, worker, receipt } = completion;
  return [...entries, { kind: 'attempt', run, attempt, phase: 'delivery', started_at: printTime(at), duration_ms: durationOf(ms), outcome: 'delivered', error_code: null, ...toWireReceipt(receipt), worker }];
}

/** Puts each change before the first entry that came later. The order of the log stays: the clocks of workers differ. */
export function withEdits(log: readonly LogEntry[], marks: readonly EditMark[]): (LogEntry | EditMark)[] {
  const left = [...marks];
  const entries = log.flatMap((entry) => {
    const at = timeOf(entry);
    const later = at === undefined ? 0 : left.findIndex((mark) => mark.at > at);
    return [...left.splice(0, later < 0 ? left.length : later), entry];
  });
  return [...entries, ...left];
}

function timeOf(entry: LogEntry): number | undefined {
  switch (entry.kind) {
    case 'omitted':
      return undefined;
    case 'deferral':
      return entry.since;
    case 'attempt':
    case 'redrive':
    case 'sent_now':
    case 'release':
      return entry.at;
  }
}

function toWireEntry(entry: LogEntry | EditMark): object {
  switch (entry.kind) {
    case 'attempt':
      return toWireAttempt(entry);
    case 'omitted':
      return { kind: 'omitted', omitted: entry.count };
    case 'redrive':
      return { kind: 'redriven', redriven_at: printTime(entry.at), run: entry.run, ...toWireDoer(entry) };
    case 'sent_now':
      return { kind: 'released', released_at: printTime(entry.at), run: entry.run, error_code: null, count: 1, ...toWireDoer(entry) };
    case 'deferral':
      return { kind: 'deferred', deferred_at: printTime(entry.since), reason: entry.reason, count: entry.count };
    case 'release':
      return { kind: 'released', released_at: printTime(entry.at), error_code: entry.code, count: entry.count };
    case 'edited':
      return { kind: 'edited', edited_at: printTime(entry.at), by: entry.by, edit: entry.edit, run: entry.run };
  }
}

/** Earlier versions wrote down who did it for bulk actions alone. */
function toWireDoer({ bulk, by }: { readonly bulk?: string; readonly by?: Actor }): object {
  return { ...(bulk === undefined ? {} : { bulk_action_id: bulk }), ...(by === undefined ? {} : { by }) };
}

/** Records of 0.1 were measured by the clock of the worker, and are negative where it was set back. */
function durationOf(ms: number): number {
  return Math.max(0, ms);
}

function toWireAttempt(record: AttemptRecord): object {
  const { run, attempt, phase, at, ms, outcome, code, httpStatus, receipt, detail, worker, next } = record;
  return {
    kind: 'attempt',
    run,
    attempt,
    phase: shownPhase(phase),
    started_at: printTime(at),
    duration_ms: durationOf(ms),
    outcome,
    error_code: code ?? null,
    http_status: httpStatus ?? null,
    ...(receipt === undefined ? {} : toWireReceipt(receipt)),
    error: code === undefined ? null : printFailure(code, detail),
    next,
    worker,
  };
}
