import { readProgress, type DeferralNote, type EditMark, type LogEntry, type TaskProgress } from '../../domain/task/attempt-record.js';
import { deferralReasons } from '../../domain/task/deferral.js';
import type { Task, TaskState } from '../../domain/task/task.js';
import { failureFieldsOf, type FailureFields } from '../search/failure-fields.js';
import { decodeEditLog } from './edit-log.js';
import { decodeCompletion, decodeLogField, type Completion } from './log-codec.js';
import { dueAtOfScore } from '../engine/due-score.js';
import { jobField } from '../engine/job-fields.js';
import type { Shard } from '../engine/shard.js';
import { decodeTask, editsOf, UnreadableTaskError, type StoredOptions } from './task-codec.js';
import { jobIdOf } from '../names.js';
import { delayBeforeAttemptMs, wholeMs } from '../../domain/task/retry-policy.js';

const NO_JOB = -1;
const FOREIGN = -2;

/** All facts about one task at one moment. Times are in milliseconds since the epoch. */
export interface TaskView {
  readonly task: Task;
  readonly state: TaskState;
  readonly progress: TaskProgress;
  /** When it is due, or was due if it waits for a free slot; undefined when it is being sent or finished. */
  readonly nextAttemptAt: number | undefined;
  readonly createdAt: number;
  readonly finishedAt: number | undefined;
  /** When it was submitted, taken by a worker, sent, ended, or changed by a person, whatever was last. */
  readonly updatedAt: number;
  /** The facts of its log that it is searched by, made from the log itself. */
  readonly failure: FailureFields | undefined;
  /** The bulk action that changed it last. */
  readonly bulkActionId: string | undefined;
  /** The worker that holds it, or held it last. */
  readonly worker: string | undefined;
  /** The oldest entry comes first; earlier runs come before this one. */
  readonly log: readonly LogEntry[];
  readonly completion: Completion | undefined;
  /** How often it was changed in its life. */
  readonly edits: number;
  /** The last changes, the oldest first. */
  readonly editMarks: readonly EditMark[];
  readonly stored: StoredJob;
}

/** What stands in Redis of the job, as far as a change of the task has to know whether it is still the same: see edit-task.ts. */
export interface StoredJob {
  /** Fields of the job as they stand there; '' for one that is not there. */
  readonly options: string;
  readonly createdAt: string;
  readonly attemptsMade: string;
  readonly edits: string;
  /** Bytes of its data. */
  readonly dataBytes: number;
}

/**
 * Reads one task in one script, so that its parts belong together.
 * @param maxBytes of the stored JSON; -1: any number
 * @param clientIds whose task it may be. Default: anybody's
 * @returns undefined when no such task is known; `foreign` when it is of none of these clients; `too large` when it is larger than `maxBytes`
 * @throws UnreadableTaskError when a newer version wrote it, or its key holds something else
 */
export async function readTask(shard: Shard, taskId: string, maxBytes: number, clientIds: readonly string[] = []): Promise<TaskView | 'too large' | 'foreign' | undefined> {
  const { client, keys } = shard;
  const jobId = jobIdOf(taskId);
  const key = keys.job(taskId);
  // Outside a MULTI ioredis sends the text itself when Redis has lost the script.
  const reply: unknown = await client.runCommand('krsRead', [key, keys.delayed, keys.completed, keys.failed, jobId, maxBytes, ...clientIds]);
  if (reply === 0) return 'too large';
  if (reply === FOREIGN) return 'foreign';
  if (reply === NO_JOB) throw new UnreadableTaskError('its key holds something else than a task');
  // The script's own answer: see read-script.ts.
  const [now, fields, delayed, completed, failed, locked] = reply as [number, string[], string | null, string | null, string | null, number];
  const hash = pairUp(fields);
  const data = hash[jobField.data];
  if (data === undefined) return undefined;

  const parsed = parseData(data);
  const task = decodeTask(parsed);
  const current = decodeLogField(hash[jobField.log]);
  const fromLog = readProgress(current, storedOptions(hash[jobField.options]).run ?? 1);
  const createdAt = Number(hash[jobField.createdAt]);
  // It is computed only when it is needed: a log that no version of ours has written gives no answer.
  const dueBefore = (): number => Math.min(dueSince(task, fromLog, current, createdAt), now);
  const bulkDeferred = delayed === null ? undefined : deferralOfBulkDeferred(fromLog.lastDeferral, hash, dueBefore, dueAtOfScore(delayed));
  const progress = bulkDeferred === undefined ? fromLog : { ...fromLog, lastDeferral: bulkDeferred };
  const completion = completed === null ? undefined : decodeCompletion(hash[jobField.returnValue]);
  const isFinished = completed !== null || failed !== null;
  const finishedAt = isFinished ? Number(hash[jobField.finishedAt]) : undefined;
  const failure = failureFieldsOf(current, Number(hash[jobField.attemptsMade] ?? 0));
  const isHeld = !isFinished && delayed === null && locked === 1;
  // A task that was to be sent later, and that a person has retried now, is due like any other.
  const dueAt = delayed === null ? dueBefore() : dueAtOfScore(delayed);
  return {
    task,
    state: stateOf({ isCompleted: completed !== null, isFailed: failed !== null, isHeld, completion, current, progress }),
    progress,
    nextAttemptAt: isFinished || isHeld ? undefined : dueAt,
    createdAt,
    finishedAt,
    updatedAt: newestOf(createdAt, hash[jobField.startedAt], hash[jobField.movedAt], finishedAt, failure?.endedAt),
    failure,
    bulkActionId: hash[jobField.bulkAction],
    worker: hash[jobField.worker],
    log: [...decodeLogField(hash[jobField.history]), ...current],
    completion,
    edits: editsOf(parsed),
    editMarks: decodeEditLog(hash[jobField.editLog]),
    stored: {
      options: hash[jobField.options] ?? '',
      createdAt: hash[jobField.createdAt] ?? '',
      attemptsMade: hash[jobField.attemptsMade] ?? '',
      edits: hash[jobField.edits] ?? '',
      dataBytes: Buffer.byteLength(data),
    },
  };
}

/** @param times ms since the epoch, of which any may be missing */
function newestOf(...times: readonly (string | number | undefined)[]): number {
  return Math.max(...times.map((time) => Number(time ?? NaN)).filter(Number.isFinite));
}

/**
 * State and run of a task that waits, from its log alone: also of one whose data this version cannot read.
 * @param stacktrace the job's field of that name
 * @param opts       the job's field of that name
 */
export function readWaiting(stacktrace: string, opts: string): { readonly state: TaskState; readonly run: number } {
  const current = decodeLogField(stacktrace);
  const progress = readProgress(current, storedOptions(opts).run ?? 1);
  return { state: stateOf({ isCompleted: false, isFailed: false, isHeld: false, completion: undefined, current, progress }), run: progress.run };
}

interface Facts {
  readonly isCompleted: boolean;
  readonly isFailed: boolean;
  readonly isHeld: boolean;
  readonly completion: Completion | undefined;
  readonly current: readonly LogEntry[];
  readonly progress: TaskProgress;
}

/** Only this function maps BullMQ's sets and the task's log to the states that a client sees. */
function stateOf({ isCompleted, isFailed, isHeld, completion, current, progress }: Facts): TaskState {
  if (isCompleted) return completion?.outcome === 'cancelled' ? 'cancelled' : 'delivered';
  if (isFailed) return isParked(current) ? 'parked' : 'dead_lettered';
  if (progress.phase === 'dead') return 'dead_lettering';
  if (isHeld) return 'delivering';
  return progress.attempt === 0 ? 'scheduled' : 'retrying';
}

/** It is for jobs in the failed set, with the same rule as isLastCopy in last-copy.ts. */
function isParked(log: readonly LogEntry[]): boolean {
  const last = log.findLast((entry) => entry.kind === 'attempt');
  return last?.next !== 'dead_lettered';
}

/**
 * A task that was deferred before a worker fetched it has no note of it, or an older one: see `bulkDefer` in
 * bulk-defer-script.ts.
 */
function deferralOfBulkDeferred(noted: DeferralNote | undefined, hash: Readonly<Record<string, string>>, dueBefore: () => number, until: number): DeferralNote | undefined {
  if (hash[jobField.deferredAt] === undefined || hash[jobField.deferredAt] !== (hash[jobField.fetches] ?? '0')) return undefined;
  if (noted !== undefined) return { ...noted, until };
  const reason = deferralReasons.find((known) => known === hash[jobField.waitsFor]) ?? 'destination_busy';
  return { kind: 'deferral', reason, since: wholeMs(dueBefore()), until, count: 1 };
}

/**
 * The time at which the last wait was over, for a task that left the delayed set and has no worker yet. It is never later
 * than the true time: the log records neither the jitter nor the receiver's wish, so the shortest wait is assumed.
 */
function dueSince(task: Task, progress: TaskProgress, log: readonly LogEntry[], createdAt: number): number {
  const last = log.findLast((entry) => entry.kind === 'attempt' || entry.kind === 'redrive');
  if (last === undefined) return createdAt + task.retryPolicy.initialDelayMs;
  if (last.kind === 'redrive' || last.next !== 'retry' || progress.phase === 'dead') return last.at;
  return last.at + last.ms + delayBeforeAttemptMs(progress.attempt, task.retryPolicy, 0);
}

function pairUp(fields: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let index = 0; index + 1 < fields.length; index += 2) pairs[fields[index] ?? ''] = fields[index + 1] ?? '';
  return pairs;
}

export function storedOptions(text: string | undefined): Partial<StoredOptions> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    // Written by submission.ts through BullMQ.
    return typeof value === 'object' && value !== null ? (value) : {};
  } catch {
    return {}; // not ours; run 1 is the safe reading
  }
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnreadableTaskError('the data is no JSON', { cause });
  }
}
