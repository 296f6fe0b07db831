import type { Actor } from '../actor.js';
import type { DeliveryErrorCode } from '../errors.js';
import type { DeferralReason } from './deferral.js';
import type { Receipt } from '../destinations/destination.js';

/** Which of its two destinations a task is sent to. */
export type Phase = 'delivery' | 'dead';

/** Why a task entered its dead phase, or was parked (`x-retry-dead-reason`). */
export const deadReasons = ['retries_exhausted', 'permanent_error', 'poison', 'internal'] as const;
export type DeadReason = (typeof deadReasons)[number];

/**
 * One attempt that did not deliver. It is written in the same atomic script as the transition it causes, so the log of a
 * task always agrees with its state. `next` of a run's last record names what the task does now.
 */
export interface AttemptRecord {
  readonly kind: 'attempt';
  /** 1 at first, and one more with each redrive or resubmission. */
  readonly run: number;
  /** Number of the send within its phase, from 0. */
  readonly attempt: number;
  readonly phase: Phase;
  /** The decision: another send of the same phase, the dead phase, the end as dead letter, or parked. */
  readonly next: 'retry' | 'dead_letter' | 'dead_lettered' | 'park';
  /** failed: a send was made; poison, gave_up: the verdict was reached without one. */
  readonly outcome: 'failed' | 'delivered' | 'poison' | 'gave_up';
  readonly code: DeliveryErrorCode | undefined;
  /** Start of the attempt, milliseconds since the epoch. */
  readonly at: number;
  /** Duration, milliseconds. */
  readonly ms: number;
  /** The wait until the next send, for `next: 'retry'`, whole milliseconds. Earlier versions did not record it. */
  readonly delayMs?: number;
  /** The job's stall counter at this moment: BullMQ never resets it, so stalls are counted from here. */
  readonly stalls: number;
  readonly reason?: DeadReason;
  readonly httpStatus?: number;
  /** The receipt of a dead letter that was delivered. */
  readonly receipt?: Receipt;
  /** What the other side said, for people. */
  readonly detail?: string;
  readonly worker?: string;
}

/** The task was put back uncounted. The entry remembers how often. A log has at most one, as its last entry. */
export interface ReleaseNote {
  readonly kind: 'release';
  readonly code: DeliveryErrorCode;
  /** Releases for this code in a row. */
  readonly count: number;
  readonly stalls: number;
  readonly at: number;
}

/** Flow control put the task back, uncounted, until its destination has room. A log has at most one, as its last entry. */
export interface DeferralNote {
  readonly kind: 'deferral';
  readonly reason: DeferralReason;
  /**
   * When it was deferred first since its last attempt, milliseconds since the epoch. It decides the place in the waiting
   * list.
   */
  readonly since: number;
  /** When it comes back if it is not woken before, milliseconds since the epoch. */
  readonly until: number;
  /** Deferrals in a row. */
  readonly count: number;
}

/** A person started the task again. The entries before it are history; attempts and stalls count from zero. */
export interface RedriveMark {
  readonly kind: 'redrive';
  readonly run: number;
  readonly at: number;
  /** The bulk action that did it, if one did, and the person who asked for it; earlier versions wrote that down for bulk actions alone. */
  readonly bulk?: string;
  readonly by?: Actor;
}

/** A person had the task sent before it was due: the same run, and the next attempt of it. */
export interface SentNowMark {
  readonly kind: 'sent_now';
  readonly run: number;
  readonly at: number;
  /** The bulk action that did it, if one did, and the person who asked for it. */
  readonly bulk?: string;
  readonly by?: Actor;
}

/** Stands for entries that were dropped to keep the log bounded. */
export interface OmittedMark {
  readonly kind: 'omitted';
  readonly count: number;
}

/**
 * A person changed the task. Such marks are kept beside the log and not in it: what a task does next is read from the last entries of its
 * log, and workers write the log anew with each attempt.
 */
export interface EditMark {
  readonly kind: 'edited';
  /** The run that was under way, or had ended. */
  readonly run: number;
  readonly at: number;
  readonly by: Actor;
  /** 1 for the first one in the task's life; later sends carry it as `x-retry-edit`. */
  readonly edit: number;
}

export type LogEntry = AttemptRecord | ReleaseNote | DeferralNote | RedriveMark | SentNowMark | OmittedMark;

/** The state of a task, read from its log alone. */
export interface TaskProgress {
  readonly run: number;
  readonly phase: Phase;
  /** Number of the next send in this phase, from 0. */
  readonly attempt: number;
  /** Sends made to the destination (not the dead one) in this run. */
  readonly deliverySends: number;
  readonly stallsAtLastRecord: number;
  readonly firstFailedAt: number | undefined;
  /** The failure that ended the delivery phase, or the newest one in it. */
  readonly lastFailure: AttemptRecord | undefined;
  readonly deadReason: DeadReason | undefined;
  readonly lastRelease: ReleaseNote | undefined;
  readonly lastDeferral: DeferralNote | undefined;
}

const KEPT_NEWEST = 20;

/**
 * Reads a log, oldest first.
 * @param log      entries of the current run (older runs are moved away by a redrive)
 * @param firstRun run of the submission, >= 1; a redrive mark in the log outranks it
 */
export function readProgress(log: readonly LogEntry[], firstRun: number): TaskProgress {
  // Nearly every task has an empty log. This is the hot path.
  if (log.length === 0) return untouched(firstRun);
  let run = firstRun;
  let firstFailedAt: number | undefined;
  let lastFailure: AttemptRecord | undefined;
  let last: AttemptRecord | undefined;
  let deliverySends = 0;
  for (const entry of log) {
    if (entry.kind === 'redrive') run = entry.run;
    if (entry.kind !== 'attempt') continue;
    last = entry;
    if (entry.phase !== 'delivery') continue;
    firstFailedAt ??= failedAt(entry);
    lastFailure = entry;
    if (entry.outcome === 'failed') deliverySends = entry.attempt + 1;
  }
  const newest = log.at(-1);
  const lastDeferral = newest?.kind === 'deferral' ? newest : undefined;
  // A deferral does not end what a release began.
  const beforeIt = lastDeferral === undefined ? newest : log.at(-2);
  const common = {
    run,
    deliverySends,
    firstFailedAt,
    lastFailure,
    stallsAtLastRecord: last?.stalls ?? 0,
    deadReason: last?.reason,
    lastRelease: beforeIt?.kind === 'release' ? beforeIt : undefined,
    lastDeferral,
  };
  if (last === undefined) return { ...common, phase: 'delivery', attempt: 0 };
  if (last.phase === 'dead') return { ...common, phase: 'dead', attempt: last.attempt + 1 };
  if (last.next === 'retry') return { ...common, phase: 'delivery', attempt: last.attempt + 1 };
  return { ...common, phase: 'dead', attempt: 0 };
}

/** Has a bulk action started this run, or sent it now? @param log as for readProgress */
export function isInBulkAction(log: readonly LogEntry[]): boolean {
  // Nearly every task has an empty log.
  return log.length > 0 && log.some((entry) => (entry.kind === 'redrive' || entry.kind === 'sent_now') && entry.bulk !== undefined);
}

/** Has a bulk action sent it now, since its last attempt? @param log as for readProgress */
export function isSentNowByBulkAction(log: readonly LogEntry[]): boolean {
  const since = log.findLastIndex((entry) => entry.kind === 'attempt');
  return log.some((entry, index) => index > since && entry.kind === 'sent_now' && entry.bulk !== undefined);
}

function untouched(run: number): TaskProgress {
  return {
    run,
    phase: 'delivery',
    attempt: 0,
    deliverySends: 0,
    stallsAtLastRecord: 0,
    firstFailedAt: undefined,
    lastFailure: undefined,
    deadReason: undefined,
    lastRelease: undefined,
    lastDeferral: undefined,
  };
}

/** When an attempt failed, milliseconds since the epoch. This may be a whole time limit after its start. */
export function failedAt({ at, ms }: AttemptRecord): number {
  return at + ms;
}

/**
 * Makes room for one more entry. It drops trailing notes (the next ones carry their counts on). It keeps the first
 * record, the record that led to the dead phase, and the newest ones; a count replaces the rest.
 * @returns a log of at most 23 entries
 */
export function makeRoom(log: readonly LogEntry[]): LogEntry[] {
  // Nearly every log is short. This is the hot path.
  if (log.length === 0) return [];
  const kept = log.filter((entry) => entry.kind !== 'release' && entry.kind !== 'deferral');
  const isTurningPoint = (entry: LogEntry): boolean =>
    entry.kind === 'redrive' || (entry.kind === 'attempt' && entry.phase === 'delivery' && entry.next !== 'retry');
  const records = kept.filter((entry) => entry.kind !== 'omitted');
  const alreadyOmitted = kept.reduce((sum, entry) => sum + (entry.kind === 'omitted' ? entry.count : 0), 0);
  // The mark of a redrive stands before the first record of its run. Both are the beginning.
  const beginning = records.findIndex((entry) => entry.kind === 'attempt');
  const newestFrom = records.length - (KEPT_NEWEST - 1);
  const dropped = records.filter((entry, index) => index > beginning && index < newestFrom && !isTurningPoint(entry));
  if (dropped.length === 0 && alreadyOmitted === 0) return records;
  const remaining = records.filter((entry) => !dropped.includes(entry));
  const head = remaining.slice(0, beginning + 1);
  return [...head, { kind: 'omitted', count: alreadyOmitted + dropped.length }, ...remaining.slice(beginning + 1)];
}
