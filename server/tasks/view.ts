import type { Actor } from '../../shared/domain/actor.js';
import type { AttemptRecord, EditMark, LogEntry, Phase } from '../../shared/domain/task/attempt-record.js';
import { printFailure } from '../../shared/domain/task/outgoing-message.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { toWireReceipt } from '../../shared/domain/destinations/destination.js';
import { taskFieldRows, type BoundField } from '../../shared/domain/task/task-fields.js';
import type { Task } from '../../shared/domain/task/task.js';
import type { TaskView } from '../../shared/queue/tasks/task-view.js';
import { printTime } from '../http/print-time.js';
import { waitingFor, type WaitingFacts } from './waiting-for.js';

export interface TaskViewOptions {
  readonly includesMessage: boolean;
  readonly waiting: WaitingFacts | undefined;
  /** What is shown of the paths of urls. */
  readonly mask: PathMask;
}

/** Shows a task to clients: our names become wire names here. */
export function toWireTask(view: TaskView, options: TaskViewOptions): object {
  const { task, state, progress, nextAttemptAt, createdAt, finishedAt, edits } = view;
  return {
    id: task.id,
    state,
    ...shownFields('head', task, options.mask),
    run: progress.run,
    ...toWirePosition(view),
    created_at: printTime(createdAt),
    next_attempt_at: nextAttemptAt === undefined ? null : printTime(nextAttemptAt),
    finished_at: finishedAt === undefined ? null : printTime(finishedAt),
    waiting_for: waitingFor(view, options.waiting),
    dead_reason: progress.deadReason ?? null,
    edits,
    ...toWirePolicy(task, options.mask),
    ...(options.includesMessage ? { message_data: task.messageData } : {}),
    timeline: toWireTimeline(view),
  };
}

/** The send that is due or under way; for a finished task it is the last one. */
function toWirePosition({ log, progress, completion, finishedAt }: TaskView): { phase: string; attempt: number } {
  if (completion?.outcome === 'delivered') return { phase: 'delivery', attempt: completion.attempt };
  const last = finishedAt === undefined ? undefined : log.findLast((entry) => entry.kind === 'attempt');
  const { phase, attempt } = last ?? progress;
  return { phase: toWirePhase(phase), attempt };
}

function toWirePhase(phase: Phase): string {
  return phase === 'dead' ? 'dead_letter' : 'delivery';
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
    phase: toWirePhase(phase),
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
