import { readProgress, type DeferralNote, type LogEntry, type TaskProgress } from '../../domain/task/attempt-record.js';
import { deferralReasons } from '../../domain/task/deferral.js';
import type { Task, TaskState } from '../../domain/task/task.js';
import { decodeCompletion, decodeLogField, type Completion } from './log-codec.js';
import { dueAtOfScore } from '../engine/due-score.js';
import { jobField } from '../engine/job-fields.js';
import type { Shard } from '../engine/shard.js';
import { decodeTask, UnreadableTaskError, type StoredOptions } from './task-codec.js';
import { jobIdOf } from '../names.js';
import { delayBeforeAttemptMs, wholeMs } from '../../domain/task/retry-policy.js';

/** Everything known of one task at one moment. Times in milliseconds since the epoch. */
export interface TaskView {
  readonly task: Task;
  readonly state: TaskState;
  readonly progress: TaskProgress;
  /** When it is due, or was due and waits for a free slot; undefined when it is being sent or finished. */
  readonly nextAttemptAt: number | undefined;
  readonly createdAt: number;
  readonly finishedAt: number | undefined;
  /** Worker that holds it, or held it last. */
  readonly worker: string | undefined;
  /** Oldest first; earlier runs before this one. */
  readonly log: readonly LogEntry[];
  readonly completion: Completion | undefined;
}

/**
 * Reads one task in one script, so that its parts belong together.
 * @param now milliseconds since the epoch
 * @returns undefined when no such task is known
 * @throws UnreadableTaskError when a newer version wrote it
 */
export async function readTask(shard: Shard, taskId: string, now: number): Promise<TaskView | undefined> {
  const { client, keys } = shard;
  const jobId = jobIdOf(taskId);
  const key = keys.job(taskId);
  // Outside a MULTI ioredis sends the text itself when Redis has lost the script.
  const reply: unknown = await client.runCommand('krsRead', [key, keys.delayed, keys.completed, keys.failed, jobId]);
  // The script's own answer: see read-script.ts.
  const [fields, delayed, completed, failed, locked] = reply as [string[], string | null, string | null, string | null, number];
  const hash = pairUp(fields);
  const data = hash[jobField.data];
  if (data === undefined) return undefined;

  const task = decodeTask(parseData(data));
  const current = decodeLogField(hash[jobField.log]);
  const fromLog = readProgress(current, storedOptions(hash[jobField.options]).run ?? 1);
  const createdAt = Number(hash[jobField.createdAt]);
  // Not for everybody: it cannot be reckoned from a log that no version of ours has written.
  const dueBefore = (): number => Math.min(dueSince(task, fromLog, current, createdAt), now);
  const bulkDeferred = delayed === null ? undefined : deferralOfBulkDeferred(fromLog.lastDeferral, hash, dueBefore, dueAtOfScore(delayed));
  const progress = bulkDeferred === undefined ? fromLog : { ...fromLog, lastDeferral: bulkDeferred };
  const completion = completed === null ? undefined : decodeCompletion(hash[jobField.returnValue]);
  const isFinished = completed !== null || failed !== null;
  const isHeld = !isFinished && delayed === null && locked === 1;
  // A task that was to be sent later and was sent now by a person is due all the same.
  const dueAt = delayed === null ? dueBefore() : dueAtOfScore(delayed);
  return {
    task,
    state: stateOf({ isCompleted: completed !== null, isFailed: failed !== null, isHeld, completion, current, progress }),
    progress,
    nextAttemptAt: isFinished || isHeld ? undefined : dueAt,
    createdAt,
    finishedAt: isFinished ? Number(hash[jobField.finishedAt]) : undefined,
    worker: hash[jobField.worker],
    log: [...decodeLogField(hash[jobField.history]), ...current],
    completion,
  };
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

/** The one mapping from BullMQ's sets and the task's log to the states a client sees. */
function stateOf({ isCompleted, isFailed, isHeld, completion, current, progress }: Facts): TaskState {
  if (isCompleted) return completion?.outcome === 'cancelled' ? 'cancelled' : 'delivered';
  if (isFailed) return isParked(current) ? 'parked' : 'dead_lettered';
  if (progress.phase === 'dead') return 'dead_lettering';
  if (isHeld) return 'delivering';
  return progress.attempt === 0 ? 'scheduled' : 'retrying';
}

/** In the failed set; the same rule as isLastCopy in last-copy.ts. */
function isParked(log: readonly LogEntry[]): boolean {
  const last = log.findLast((entry) => entry.kind === 'attempt');
  return last?.next !== 'dead_lettered';
}

/** A task that was deferred before anybody fetched it has no note of it, or an older one: see `bulkDefer` in waiting-list-scripts.ts. */
function deferralOfBulkDeferred(noted: DeferralNote | undefined, hash: Readonly<Record<string, string>>, dueBefore: () => number, until: number): DeferralNote | undefined {
  if (hash[jobField.deferredAt] === undefined || hash[jobField.deferredAt] !== (hash[jobField.fetches] ?? '0')) return undefined;
  if (noted !== undefined) return { ...noted, until };
  const reason = deferralReasons.find((known) => known === hash[jobField.waitsFor]) ?? 'destination_busy';
  return { kind: 'deferral', reason, since: wholeMs(dueBefore()), until, count: 1 };
}

/**
 * A task that left the delayed set and has no worker yet: when its last wait was over, as far as its log tells. Never
 * later than it was: what jitter drew and what the receiver asked for stand nowhere, so the shortest wait is taken.
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
