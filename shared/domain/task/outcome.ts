import type { DeadReason, Phase, TaskProgress } from './attempt-record.js';
import { countsForCircuit, deliveryError, type DeliveryErrorCode } from '../errors.js';
import { deferralDelayMs, type DeferralReason } from './deferral.js';
import type { Receipt } from '../destinations/destination.js';
import type { DeliveryResult } from '../ports.js';
import { delayBeforeAttemptMs, growingDelayMs, scatteredDelayMs, type DeadPolicy, type Jitter, type RetryPolicy } from './retry-policy.js';
import type { Task } from './task.js';

/** A worker has fetched a task. `stalls`: how often its worker died since the last record. */
export interface Fetched {
  readonly kind: 'fetched';
  readonly stalls: number;
}

/**
 * Flow control has no room for it. `waiting`: number of tasks that wait for the same destination already. `at`: now, ms
 * since the epoch.
 */
export interface Deferred {
  readonly kind: 'deferred';
  readonly reason: DeferralReason;
  readonly waiting: number;
  readonly at: number;
}

/**
 * A send failed, and its destination had been found to be down while it was under way. However many sends were in flight
 * then, they tell nothing new, and must not cost their tasks an attempt. The same holds for a send that is the first to hear
 * that its destination wants to wait, and was not made: see isUnsent. `waiting` and `at` as in Deferred.
 */
export interface CircuitOpenedDuringSend {
  readonly kind: 'circuit_opened_during_send';
  readonly result: Extract<DeliveryResult, { kind: 'failed' }>;
  readonly waiting: number;
  readonly at: number;
}

/** The destination asked to wait before the task was sent (a broker's quota): the failure is no attempt. */
export function isUnsent({ code, retryAfterMs }: Extract<DeliveryResult, { kind: 'failed' }>): boolean {
  return retryAfterMs !== undefined && !deliveryError(code).usesAttempt;
}

/** What happened while a worker held a task. */
export type Finding =
  | Fetched
  | Deferred
  | CircuitOpenedDuringSend
  | { readonly kind: 'result'; readonly result: DeliveryResult }
  /** Our own code threw. */
  | { readonly kind: 'bug' };

/** The answer to: may a fetched task be sent now? */
export type Start = { readonly kind: 'send' } | Outcome;

/** The decision; settle-outcome.ts carries it out. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly receipt: Receipt }
  /** The dead letter was delivered. */
  | { readonly kind: 'dead_lettered'; readonly receipt: Receipt; readonly reason: DeadReason }
  /** Another send of the same phase after a wait. */
  | { readonly kind: 'retry'; readonly code: DeliveryErrorCode; readonly delayMs: number; readonly reason?: DeadReason }
  /** The delivery phase is over. The task goes to the dead destination at once. */
  | { readonly kind: 'dead_letter'; readonly code: DeliveryErrorCode; readonly reason: DeadReason }
  /** The task is kept until a person acts. */
  | { readonly kind: 'park'; readonly code: DeliveryErrorCode; readonly reason: DeadReason }
  /**
   * The task is given back, and no attempt is used. `count`: releases for this code in a row; undefined when there is
   * nothing to remember.
   */
  | { readonly kind: 'release'; readonly code: DeliveryErrorCode; readonly delayMs: number; readonly count: number | undefined }
  /** Nothing is recorded: the task stays in the hands of a process that ends by a fault, and counts as stalled. */
  | { readonly kind: 'leave'; readonly code: DeliveryErrorCode }
  /**
   * The task is given back until its destination has room, and no attempt is used. `since`: it decides the place in the
   * waiting list, ms since the epoch.
   */
  | { readonly kind: 'defer'; readonly waitsFor: DeferralReason; readonly delayMs: number; readonly since: number; readonly count: number };

/** The parts of a task that the rules look at. */
export type PolicyOfTask = Pick<Task, 'retryPolicy' | 'onExhausted' | 'deadDestination'>;

/** Numbers of the deployment that the rules need. */
export interface OutcomeRules {
  readonly dead: DeadPolicy;
  readonly stall: StallPolicy;
  readonly release: ReleasePolicy;
  /** After a task was put back for this long, its failures count, whatever the state of its destination, ms. */
  readonly longestUncountedMs: number;
}

/** Waits of a task that this process cannot handle. The delay grows, so that there is no hot loop. */
export interface ReleasePolicy {
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

export interface StallPolicy {
  /** From this many stalls since the last record on, a task is put back with a growing delay before it is sent again. */
  readonly partFrom: number;
  /** After this many stalls since the last record, the task is taken to be the cause. */
  readonly poisonAt: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * Recovered jobs go to the head of the queue, so innocent tasks die together with a poison task. From the third stall on
 * they come back at different times. Only the task that kills its worker alone reaches twelve.
 */
export const defaultStallPolicy: StallPolicy = { partFrom: 3, poisonAt: 12, baseDelayMs: 1_000, maxDelayMs: 300_000 };

export const defaultReleasePolicy: ReleasePolicy = { baseDelayMs: 30_000, maxDelayMs: 600_000 };

/**
 * For how long a task counts as unreadable after a worker last failed to read it, in whole milliseconds. A worker that
 * cannot read it fetches it again within maxDelayMs, and notes it again. The time is twice as long, because the task may
 * have to wait for a slot.
 */
export function unreadableForMs({ maxDelayMs }: ReleasePolicy): number {
  return 2 * maxDelayMs;
}

/** After this many releases, a bug of ours is taken to be permanent for this task. */
export const MAX_INTERNAL_RELEASES = 10;

/**
 * The one decision: what becomes of a task.
 *
 * | finding | in the delivery phase | in the dead phase |
 * |---|---|---|
 * | delivered | delivered | dead_lettered |
 * | failed, can improve, sends left | retry after the backoff (Retry-After is a minimum) | the same, by the dead policy with the task's jitter |
 * | failed, no sends left | dead_letter, reason retries_exhausted | park |
 * | failed, cannot improve | dead_letter, reason permanent_error | park |
 * | failed by our shutdown | release at once, uncounted | the same |
 * | failed by us otherwise | release, uncounted, growing delay | the same |
 * | not sent, as a broker asked (no circuits) | the same, and after `longestUncountedMs` as failed | the same |
 * | fetched after 3..11 stalls | release with a growing, jittered delay, then send | the same |
 * | fetched after 12 stalls | dead_letter, reason poison | park |
 * | no room at its destination | defer, uncounted | the same |
 * | failed as what is down fails, with no Retry-After, and its circuit was opened meanwhile | defer, uncounted; after 15 min of that as any other | the same |
 * | not sent: its destination asked to wait | defer, uncounted; after 15 min of that as a failed attempt | the same |
 * | bug of ours | release, growing delay; the 11th time dead_letter, reason internal | the same, then park |
 * | anything but delivered, in a process that ends by a fault | leave: `decideAfterFault` | the same |
 *
 * Where it says dead_letter, a task with on_exhausted: park is parked, also when it has a dead destination.
 *
 * @param random in [0, 1): spreads the waits of stalled and released tasks, and those between sends as far as the policy has jitter
 */
export function decideOutcome(finding: Fetched, task: PolicyOfTask, progress: TaskProgress, rules: OutcomeRules, random: number): Start;
export function decideOutcome(finding: Exclude<Finding, Fetched>, task: PolicyOfTask, progress: TaskProgress, rules: OutcomeRules, random: number): Outcome;
export function decideOutcome(finding: Finding, task: PolicyOfTask, progress: TaskProgress, rules: OutcomeRules, random: number): Start {
  switch (finding.kind) {
    case 'fetched':
      return decideFetched(finding.stalls, task, progress, rules, random);
    case 'deferred':
      return decideDeferred(finding, progress);
    case 'circuit_opened_during_send':
      return decideCircuitOpenedDuringSend(finding, task, progress, rules, random);
    case 'bug':
      return decideBug(task, progress, rules, random);
    case 'result':
      return decideResult(finding.result, task, progress, rules, random);
  }
}

/**
 * A task that this process cannot even read (written by a newer version) has no policy to decide by: it waits for a
 * process that can, for ever, with a growing delay.
 */
export function decideUnreadable(lastRelease: TaskProgress['lastRelease'], rules: OutcomeRules, random: number): Extract<Outcome, { kind: 'release' }> {
  return releaseFor('data_unreadable', { lastRelease }, rules, random);
}

/**
 * The decision of a process that ends by a fault of its own. Only what a receiver has accepted is recorded, because it
 * would be sent twice. All else is left in hand, so that it counts as stalled: one of these tasks may have caused the
 * fault, and would be given back free. A failure is left, too: it may be ours, and would use an attempt.
 */
export function decideAfterFault(finding: Finding, task: PolicyOfTask, progress: TaskProgress, rules: OutcomeRules, random: number): Outcome {
  if (finding.kind === 'result' && finding.result.kind === 'delivered') return decideResult(finding.result, task, progress, rules, random);
  return leftInHand;
}

/** For a task that this process cannot even read. */
export const leftInHand: Outcome = { kind: 'leave', code: 'worker_crashed' };

function decideFetched(stalls: number, task: PolicyOfTask, progress: TaskProgress, rules: OutcomeRules, random: number): Start {
  const { stall } = rules;
  if (stalls >= stall.poisonAt) return endPhase(progress.phase, task, 'worker_crashed', 'poison', progress);
  const alreadyParted = progress.lastRelease?.code === 'worker_crashed' && progress.lastRelease.stalls - progress.stallsAtLastRecord >= stalls;
  if (stalls < stall.partFrom || alreadyParted) return { kind: 'send' };
  return { kind: 'release', code: 'worker_crashed', delayMs: scatteredDelayMs(stalls - stall.partFrom, stall, random), count: stalls };
}

function decideCircuitOpenedDuringSend({ result, waiting, at }: CircuitOpenedDuringSend, task: PolicyOfTask, progress: TaskProgress, rules: OutcomeRules, random: number): Outcome {
  const uncountedMs = at - (progress.lastDeferral?.since ?? at);
  // Answers about this task alone (a 4xx, a Retry-After) count even if the circuit opened meanwhile.
  const mayBeUncounted = isUnsent(result) || (countsForCircuit(result.code) && result.retryAfterMs === undefined);
  const isOverdue = uncountedMs >= rules.longestUncountedMs;
  // A broker that asks to wait for ever must lead to a dead letter.
  if (isOverdue && isUnsent(result)) return decideFailedAttempt(result, task, progress, rules, random);
  if (!mayBeUncounted || isOverdue) return decideResult(result, task, progress, rules, random);
  return decideDeferred({ reason: 'circuit_open', waiting, at }, progress);
}

function decideDeferred({ reason, waiting, at }: Omit<Deferred, 'kind'>, { lastDeferral }: TaskProgress): Outcome {
  return { kind: 'defer', waitsFor: reason, delayMs: deferralDelayMs(waiting), since: lastDeferral?.since ?? at, count: (lastDeferral?.count ?? 0) + 1 };
}

function decideBug(task: PolicyOfTask, progress: TaskProgress, rules: OutcomeRules, random: number): Outcome {
  const releases = releasesInARow('internal', progress.lastRelease);
  if (releases >= MAX_INTERNAL_RELEASES) return endPhase(progress.phase, task, 'internal', 'internal', progress);
  return releaseFor('internal', progress, rules, random);
}

function releaseFor(
  code: DeliveryErrorCode,
  { lastRelease }: Pick<TaskProgress, 'lastRelease'>,
  { release }: OutcomeRules,
  random: number,
): Extract<Outcome, { kind: 'release' }> {
  const releases = releasesInARow(code, lastRelease);
  return { kind: 'release', code, delayMs: growingDelayMs(releases, release, random), count: releases + 1 };
}

function decideResult(result: DeliveryResult, task: PolicyOfTask, progress: TaskProgress, rules: OutcomeRules, random: number): Outcome {
  const { phase } = progress;
  if (result.kind === 'delivered') {
    if (phase === 'delivery') return { kind: 'delivered', receipt: result.receipt };
    return { kind: 'dead_lettered', receipt: result.receipt, reason: progress.deadReason ?? 'retries_exhausted' };
  }
  const { code } = result;
  const { usesAttempt } = deliveryError(code);
  // A process that is told to stop must give back at once. After any other fault of ours a release without a wait would
  // be a hot loop.
  if (code === 'shutting_down') return { kind: 'release', code, delayMs: 0, count: undefined };
  if (isUnsent(result) && releasedForMs(code, progress.lastRelease, rules.release) >= rules.longestUncountedMs) return decideFailedAttempt(result, task, progress, rules, random);
  if (usesAttempt) return decideFailedAttempt(result, task, progress, rules, random);
  const release = releaseFor(code, progress, rules, random);
  return { ...release, delayMs: Math.max(release.delayMs, Math.min(result.retryAfterMs ?? 0, rules.release.maxDelayMs)) };
}

function decideFailedAttempt(result: Extract<DeliveryResult, { kind: 'failed' }>, task: PolicyOfTask, progress: TaskProgress, rules: OutcomeRules, random: number): Outcome {
  const { phase } = progress;
  const { code } = result;
  const { canImprove } = deliveryError(code);
  if (!canImprove) return endPhase(phase, task, code, 'permanent_error', progress);
  const { sends, backoff } = sendsOfPhase(phase, task.retryPolicy, rules.dead);
  if (progress.attempt + 1 >= sends) return endPhase(phase, task, code, 'retries_exhausted', progress);
  const delayMs = delayBeforeAttemptMs(progress.attempt + 1, backoff, random, result.retryAfterMs);
  return { kind: 'retry', code, delayMs, ...(progress.deadReason === undefined ? {} : { reason: progress.deadReason }) };
}

function endPhase(phase: Phase, task: PolicyOfTask, code: DeliveryErrorCode, reason: DeadReason, progress: TaskProgress): Outcome {
  // A person needs to know why the delivery failed, not that the dead delivery failed too.
  if (phase === 'dead') return { kind: 'park', code, reason: progress.deadReason ?? reason };
  if (task.onExhausted === 'park' || task.deadDestination === undefined) return { kind: 'park', code, reason };
  return { kind: 'dead_letter', code, reason };
}

function sendsOfPhase(phase: Phase, retry: RetryPolicy, dead: DeadPolicy): { sends: number; backoff: { baseDelayMs: number; maxDelayMs: number; jitter: Jitter } } {
  if (phase === 'delivery') return { sends: retry.maxRetries + 1, backoff: retry };
  return { sends: dead.attempts, backoff: { ...dead, jitter: retry.jitter } };
}

/** About how long it has been released for this code without a break, ms. */
function releasedForMs(code: DeliveryErrorCode, lastRelease: TaskProgress['lastRelease'], release: ReleasePolicy): number {
  let ms = 0;
  for (let nth = releasesInARow(code, lastRelease) - 1; nth >= 0; nth -= 1) ms += growingDelayMs(nth, release, 0.5);
  return ms;
}

function releasesInARow(code: DeliveryErrorCode, lastRelease: TaskProgress['lastRelease']): number {
  return lastRelease?.code === code ? lastRelease.count : 0;
}
