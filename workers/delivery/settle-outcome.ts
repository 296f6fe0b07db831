import { DelayedError, WaitingError, type Job, type Worker } from 'bullmq';
import { makeRoom, type AttemptRecord, type LogEntry } from '../../shared/domain/task/attempt-record.js';
import { printFailure } from '../../shared/domain/task/outgoing-message.js';
import type { DeferralReason } from '../../shared/domain/task/deferral.js';
import type { Outcome } from '../../shared/domain/task/outcome.js';
import type { Clock } from '../../shared/domain/ports.js';
import { JobComesAgain, JobFails } from '../../shared/queue/engine/job-ends.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';
import { putBack } from '../../shared/queue/engine/put-back.js';
import type { Deferral } from '../../shared/queue/flow/waiting-lists.js';
import { addToTransition } from '../../shared/queue/engine/transition-fields.js';
import { failureFieldsOf, packFailureFields } from '../../shared/queue/search/failure-fields.js';
import { encodeEntry, type Completion } from '../../shared/queue/tasks/log-codec.js';
import type { Delivery } from './deliver-task.js';

export interface SettleContext {
  readonly worker: Worker;
  readonly workerName: string;
  /** Puts a job back, and into the waiting list of its destination. */
  readonly defer: (delivery: Delivery, reason: DeferralReason, deferral: Deferral) => Promise<void>;
  /** Adds a job to the set of those that a worker could not read. */
  readonly markUnreadable: (jobId: string, at: number) => Promise<void>;
  readonly clock: Clock;
  /** By how much the time may be ahead of `clock`, whole milliseconds. */
  readonly clockDoubtMs: () => number;
}

/**
 * Carries an outcome out in BullMQ's words; it decides nothing. It is called as the last step of the processor: its
 * return value or error makes BullMQ write transition and record in one atomic script.
 *
 * | outcome | BullMQ |
 * |---|---|
 * | delivered | completed, the receipt is the return value |
 * | retry | delayed by the decided wait |
 * | dead_letter | retried with no wait |
 * | dead_lettered, park | failed, unrecoverable |
 * | release | delayed, or back to wait at shutdown; no attempt counted |
 * | defer | delayed, no attempt counted, and in the waiting list of its destination |
 * | leave | nothing: the lock lapses after the end of the process, and BullMQ counts a stall |
 *
 * @returns at once for what was delivered: nearly every task is
 * @throws always, but for delivered and leave
 */
export function settleOutcome(job: Job, token: string, log: readonly LogEntry[], delivery: Delivery, context: SettleContext): Completion | Promise<never> {
  const { outcome } = delivery;
  const kept = makeRoom(log);
  // BullMQ adds the error's stack to this list and writes it.
  job.stacktrace = kept.map(encodeEntry);
  const recorded = (next: AttemptRecord['next']): string => {
    const made = recordOf(job, delivery, next, context);
    const fields = failureFieldsOf([...kept, made], job.attemptsMade + 1);
    if (fields !== undefined) addToTransition(job, { [jobField.failure]: packFailureFields(fields) });
    return encodeEntry(made);
  };
  switch (outcome.kind) {
    case 'delivered': {
      const { progress, startedAt: at, durationMs: ms } = delivery;
      return { outcome: 'delivered', run: progress?.run ?? 1, attempt: progress?.attempt ?? 0, at, ms, worker: context.workerName, receipt: outcome.receipt };
    }
    case 'retry':
      // The wait begins by a clock that may be slow, and ends by one that has been corrected since: never early.
      throw new JobComesAgain(messageOf(delivery), recorded('retry'), outcome.delayMs === 0 ? 0 : outcome.delayMs + context.clockDoubtMs());
    case 'dead_letter':
      throw new JobComesAgain(messageOf(delivery), recorded('dead_letter'), 0);
    case 'dead_lettered':
      throw new JobFails(`dead-lettered (${outcome.reason}) after ${printFailure(lastCode(delivery), delivery.progress?.lastFailure?.detail)}`, recorded('dead_lettered'));
    case 'park':
      throw new JobFails(`parked (${outcome.reason}): ${messageOf(delivery)}`, recorded('park'));
    case 'release':
      return release(job, token, log, outcome, context);
    case 'defer':
      return defer(job, token, log, delivery, outcome, context);
    case 'leave':
      // Whatever a processor returns or throws, BullMQ records. The process ends within seconds, and this wait with it.
      return new Promise<never>(() => undefined);
  }
}

async function release(job: Job, token: string, log: readonly LogEntry[], outcome: Extract<Outcome, { kind: 'release' }>, { worker, clock, markUnreadable }: SettleContext): Promise<never> {
  if (outcome.count === undefined) {
    await job.moveToWait(token);
    throw new WaitingError();
  }
  if (outcome.code === 'data_unreadable') {
    // This is only a count for people: the task goes back whether the note is written or not.
    await markUnreadable(job.id ?? '', clock()).catch(() => undefined);
  }
  const note: LogEntry = { kind: 'release', code: outcome.code, count: outcome.count, stalls: job.stalledCounter, at: clock() };
  const entries = JSON.stringify([...makeRoom(log), note].map(encodeEntry));
  await putBack(worker, { jobId: job.id ?? '', token, at: clock(), delayMs: outcome.delayMs, fields: { [jobField.log]: entries } });
  throw new DelayedError();
}

async function defer(job: Job, token: string, log: readonly LogEntry[], delivery: Delivery, outcome: Extract<Outcome, { kind: 'defer' }>, context: SettleContext): Promise<never> {
  const { waitsFor: reason, since, count, delayMs } = outcome;
  const at = context.clock();
  const note: LogEntry = { kind: 'deferral', reason, since, until: at + delayMs, count };
  const entries = JSON.stringify([...log.filter(({ kind }) => kind !== 'deferral'), note].map(encodeEntry));
  // The number of this fetch: the script that wakes the job sees by it that no worker has had the job since.
  await context.defer(delivery, reason, { jobId: job.id ?? '', token, at, delayMs, since, fields: { [jobField.log]: entries, [jobField.deferredAt]: job.attemptsStarted, [jobField.waitsFor]: reason } });
  throw new DelayedError();
}

function recordOf(job: Job, delivery: Delivery, next: AttemptRecord['next'], { workerName }: SettleContext): AttemptRecord {
  const { outcome, progress, result, startedAt, durationMs } = delivery;
  const failure = result?.kind === 'failed' ? result : undefined;
  const reason = 'reason' in outcome ? outcome.reason : undefined;
  return {
    kind: 'attempt',
    run: progress?.run ?? 1,
    attempt: progress?.attempt ?? 0,
    phase: progress?.phase ?? 'delivery',
    next,
    outcome: result?.kind ?? (reason === 'poison' ? 'poison' : 'gave_up'),
    code: 'code' in outcome ? outcome.code : undefined,
    at: startedAt,
    ms: durationMs,
    ...(outcome.kind === 'retry' ? { delayMs: outcome.delayMs } : {}),
    stalls: job.stalledCounter,
    ...(reason === undefined ? {} : { reason }),
    ...(failure?.httpStatus === undefined ? {} : { httpStatus: failure.httpStatus }),
    ...(failure === undefined ? {} : { detail: failure.detail }),
    ...(result?.kind === 'delivered' ? { receipt: result.receipt } : {}),
    worker: workerName,
  };
}

function messageOf({ outcome, result }: Delivery): string {
  return printFailure('code' in outcome ? outcome.code : 'unknown', result?.kind === 'failed' ? result.detail : undefined);
}

function lastCode({ progress }: Delivery): string {
  return progress?.lastFailure?.code ?? 'unknown';
}
