import { readProgress, type LogEntry, type TaskProgress } from '../../shared/domain/task/attempt-record.js';
import { attemptDueAt } from '../../shared/domain/task/attempt-due.js';
import { attemptToSend } from '../../shared/domain/task/outgoing-message.js';
import type { Destination } from '../../shared/domain/destinations/destination.js';
import { shownFlowKey } from '../../shared/domain/destinations/http.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { withoutSecretsIn } from '../../shared/domain/destinations/without-secrets.js';
import type { Flow } from '../../shared/domain/destinations/flow.js';
import { flowDue, flowOf, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import { decideAfterFault, decideOutcome, decideUnreadable, leftInHand, type Fetched, type Finding, type Outcome, type OutcomeRules } from '../../shared/domain/task/outcome.js';
import { SealedTextError, type SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { TimeLimitReached, type Clock, type DeliveryResult, type EndSignal, type Random } from '../../shared/domain/ports.js';
import { shownPhase } from '../../shared/domain/task/shown-phase.js';
import { openTask } from '../../shared/domain/task/task-secrets.js';
import type { Task } from '../../shared/domain/task/task.js';
import { spanOf, type SubmittedTrace } from '../../shared/domain/trace-context.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { AttemptSpan, Tracing } from '../../shared/telemetry/tracing/tracing.js';
import { printError } from '../../shared/logging/print-error.js';
import { decodeTask, editsOf } from '../../shared/queue/tasks/task-codec.js';
import { adapterFor, type AdapterRegistry } from '../adapters/registry.js';
import type { FlowControl } from '../flow-control/flow-control.js';
import { beginAttemptSpan, sentFacts } from './attempt-span.js';
import { loggedDetail } from './logged-detail.js';
import type { SendsInFlight, SendUnderWay } from './sends-in-flight.js';

/** A job as this process got it, before its data is checked. */
export interface FetchedJob {
  readonly id: string;
  readonly data: unknown;
  readonly log: readonly LogEntry[];
  /** The run of the submission. */
  readonly firstRun: number;
  /** When it was submitted, ms since the epoch. */
  readonly createdAt: number;
  /** How often a worker died with it, over its whole life: BullMQ never resets the number. */
  readonly stalls: number;
  /** It was put back before this fetch. */
  readonly hasWaited: boolean;
  /** undefined for nearly every task. */
  readonly trace: SubmittedTrace | undefined;
}

/** The decision, with everything that settle-outcome.ts needs to record it. */
export interface Delivery {
  readonly outcome: Outcome;
  /** undefined when this version cannot read the task. */
  readonly task: Task | undefined;
  readonly progress: TaskProgress | undefined;
  readonly result?: DeliveryResult | undefined;
  /** The flow of a deferred task in which it waits. */
  readonly flow?: Flow | undefined;
  /** The flow as the task names it; undefined where it was not asked for. */
  readonly named?: Flow | undefined;
  /** When the send began, ms since the epoch. The time that it waited in its slot before is not a part of it. */
  readonly startedAt: number;
  /** The duration of the send, whole milliseconds, 0 or more, whatever happens to the clock meanwhile. */
  readonly durationMs: number;
  /** When the send was due, ms since the epoch; undefined when the task was put back unsent, or nothing says when it was due. */
  readonly dueAt: number | undefined;
}

export interface DeliverTaskContext {
  readonly adapters: AdapterRegistry;
  readonly rules: OutcomeRules;
  readonly timeLimitMs: number;
  readonly inFlight: SendsInFlight;
  /** Whether this process is about to end by a fault. */
  readonly hasFault: () => boolean;
  readonly flowControl: FlowControl;
  readonly defaultBrokers: DefaultBrokers;
  /** What is shown of the paths of urls. */
  readonly mask: PathMask;
  /** It decrypts what a task holds of secrets. */
  readonly secrets: SecretBox;
  readonly clock: Clock;
  /** By how much the time may be ahead of `clock`, whole milliseconds. */
  readonly clockDoubtMs: () => number;
  readonly random: Random;
  readonly logger: Logger;
  /** undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
}

/**
 * One attempt, from a fetched job to the decision about it: read the task, ask whether it may start, send, decide, write
 * one log line.
 */
export async function deliverTask(job: FetchedJob, context: DeliverTaskContext): Promise<Delivery> {
  const fetchedAt = context.clock();
  // Only this clock measures: the other one is set now and then, by an hour or backwards.
  const fetchedMs = performance.now();
  let task: Task;
  try {
    task = openTask(decodeTask(job.data), context.secrets);
  } catch (error) {
    return leaveUnread(job, error, fetchedAt, context);
  }
  const progress = readProgress(job.log, job.firstRun);
  const decided = await decideAttempt({ jobId: job.id, task, edits: editsOf(job.data), progress, stalls: job.stalls - progress.stallsAtLastRecord, hasWaited: job.hasWaited, trace: job.trace }, context);
  const { outcome, result, flow, named, span, startedAt = fetchedAt, startedMs = fetchedMs } = decided;
  if (span !== undefined) span.end(sentFacts(result), outcome.kind);
  // Tasks that were put back unsent get no line.
  const hasLine = outcome.kind !== 'defer' || result !== undefined;
  const dueAt = hasLine ? attemptDueAt(task, job.log, job.createdAt) : undefined;
  // Each by its name: to spread an object costs more than the rest of this.
  const delivery = { outcome, result, flow, named, task, progress, startedAt, durationMs: Math.round(performance.now() - startedMs), dueAt };
  if (hasLine) logAttempt(delivery, traceIdOf(job.trace) ?? span?.traceId, context);
  return delivery;
}

interface Attempt {
  readonly jobId: string;
  readonly task: Task;
  /** How often the task was changed. */
  readonly edits: number;
  readonly progress: TaskProgress;
  /** Stalls since the last record. */
  readonly stalls: number;
  readonly hasWaited: boolean;
  readonly trace: SubmittedTrace | undefined;
}

interface Decided extends Pick<Delivery, 'outcome' | 'result' | 'flow' | 'named'> {
  /** undefined when nothing was sent. */
  readonly startedAt?: number;
  /** Monotonic milliseconds. */
  readonly startedMs?: number;
  readonly span?: AttemptSpan | undefined;
}

/** Any error in here becomes a finding like all others: BullMQ would repeat the task for ever, every 5 s, uncounted. */
async function decideAttempt({ jobId, task, edits, progress, stalls, hasWaited, trace }: Attempt, context: DeliverTaskContext): Promise<Decided> {
  const { rules, random, logger, hasFault, tracing, flowControl, clock } = context;
  let span: AttemptSpan | undefined;
  let named: Flow | undefined;
  const decide = (finding: Exclude<Finding, Fetched>): Outcome =>
    hasFault() ? decideAfterFault(finding, task, progress, rules, random()) : decideOutcome(finding, task, progress, rules, random());
  try {
    if (hasFault()) return { outcome: leftInHand };
    const next = nextSend(task, progress, context);
    const { destination } = next;
    named = next.flow;
    if (stalls > 0) flowControl.recovered(named, jobId);
    const start = decideOutcome({ kind: 'fetched', stalls }, task, progress, rules, random());
    if (start.kind !== 'send') return { outcome: start, named };
    const flow = flowControl.resolve(named, task.id);
    const entered = flowControl.enter({ flow, named, taskId: task.id, jobId, longestWaitMs: (progress.phase === 'delivery' ? task.retryPolicy : rules.dead).maxDelayMs, hasWaited, hasFailed: progress.attempt > 0 });
    // Awaited only where there is something to wait for: one more microtask for each send shows in the delivery rate.
    const entry = entered instanceof Promise ? await entered : entered;
    if (entry.kind === 'refused') {
      // While it was held, a second task may have shown that its endpoint is one.
      const waitsIn = flowControl.waitsIn(named, task.id);
      return { outcome: decide({ kind: 'deferred', reason: entry.reason, waiting: flowControl.waiting(waitsIn), at: clock() }), flow: waitsIn, named };
    }
    const startedAt = clock();
    const startedMs = performance.now();
    let result: DeliveryResult | undefined;
    let sending: SendUnderWay | undefined;
    try {
      // The fault may have come while the task was held in its slot.
      if (hasFault()) return { outcome: leftInHand, named };
      if (tracing !== undefined) span = beginAttemptSpan(tracing, { task, progress, trace }, destination, context);
      sending = beginSend(context);
      result = withoutSecretsIn(await send({ task, edits, progress, trace, span }, destination, sending.signal, context), destination, context.mask);
      if (result.kind === 'failed' && flowControl.hasCircuitOpenedDuring(entry, result)) return { outcome: decide({ kind: 'circuit_opened_during_send', result, waiting: flowControl.waiting(flow), at: clock() }), result, flow, named, startedAt, startedMs, span };
      return { outcome: decide({ kind: 'result', result }), result, named, startedAt, startedMs, span };
    } finally {
      sending?.end();
      flowControl.leave(entry, result);
    }
  } catch (error) {
    logger.error('bug: a delivery threw', { task_id: task.id, error: printError(error), stack: error instanceof Error ? error.stack : undefined });
    return { outcome: decide({ kind: 'bug' }), named, span };
  }
}

function beginSend({ inFlight, timeLimitMs }: DeliverTaskContext): SendUnderWay {
  return inFlight.begin(timeLimitMs, () => new TimeLimitReached(timeLimitMs));
}

/** @throws only for a bug of ours: an adapter resolves for whatever the other side does */
function send({ task, edits, progress, trace, span }: Pick<Attempt, 'task' | 'edits' | 'progress' | 'trace'> & { readonly span: AttemptSpan | undefined }, destination: Destination, signal: EndSignal, { adapters, mask, defaultBrokers }: DeliverTaskContext): Promise<DeliveryResult> {
  const attempt = attemptToSend(task, progress, mask, edits, defaultBrokers, trace?.context ?? span?.context);
  const adapter = adapterFor(adapters, destination);
  return span === undefined ? adapter.send(attempt, destination, signal) : span.send(() => adapter.send(attempt, destination, signal));
}

function nextSend(task: Task, { phase }: TaskProgress, { defaultBrokers, mask }: Pick<DeliverTaskContext, 'defaultBrokers' | 'mask'>): { destination: Destination; flow: Flow } {
  const destination = phase === 'delivery' ? task.destination : task.deadDestination;
  const flow = flowDue(task, phase, defaultBrokers, mask);
  if (destination === undefined || flow === undefined) throw new Error('a task without a dead destination is in its dead phase');
  return { destination, flow };
}

function leaveUnread(job: FetchedJob, error: unknown, startedAt: number, context: DeliverTaskContext): Delivery {
  if (context.hasFault()) return { outcome: leftInHand, task: undefined, progress: undefined, startedAt, durationMs: 0, dueAt: undefined };
  const newest = job.log.at(-1);
  const outcome = decideUnreadable(newest?.kind === 'release' ? newest : undefined, context.rules, context.random());
  const message = error instanceof SealedTextError ? 'cannot decrypt the headers of a task: put back unsent' : 'cannot read a task: left for a newer version';
  context.logger.error(message, { job_id: job.id, error: printError(error), next_delay_ms: outcome.delayMs, releases: outcome.count });
  return { outcome, task: undefined, progress: undefined, startedAt, durationMs: 0, dueAt: undefined };
}

function logAttempt(delivery: Delivery & { readonly task: Task; readonly progress: TaskProgress }, traceId: string | undefined, { logger, mask, defaultBrokers }: DeliverTaskContext): void {
  const { outcome, task, progress, result, named, startedAt, durationMs, dueAt } = delivery;
  const failure = result?.kind === 'failed' ? result : undefined;
  logger.attempt(() => ({
    task_id: task.id,
    client_id: task.clientId,
    source: task.source,
    flow_key: task.flowKey === undefined ? undefined : shownFlowKey(task.flowKey, mask),
    trace_id: traceId,
    run: progress.run,
    phase: shownPhase(progress.phase),
    attempt: progress.attempt,
    max_retries: task.retryPolicy.maxRetries,
    destination: (named ?? flowOf(progress.phase === 'delivery' || task.deadDestination === undefined ? task.destination : task.deadDestination, undefined, defaultBrokers, mask)).endpoint,
    outcome: outcome.kind,
    duration_ms: durationMs,
    late_ms: lateMs(dueAt, startedAt),
    code: 'code' in outcome ? outcome.code : failure?.code,
    http_status: failure?.httpStatus ?? (result?.kind === 'delivered' && 'httpStatus' in result.receipt ? result.receipt.httpStatus : undefined),
    next_delay_ms: 'delayMs' in outcome && outcome.kind !== 'defer' ? outcome.delayMs : undefined,
    detail: failure === undefined ? undefined : loggedDetail(failure),
  }));
}

function traceIdOf(trace: SubmittedTrace | undefined): string | undefined {
  const traceparent = trace?.context?.traceparent ?? trace?.span;
  return traceparent === undefined ? undefined : spanOf({ traceparent }).traceId;
}

/** Never below 0: the clocks of two machines differ, and a person may have the task sent before it is due. */
function lateMs(dueAt: number | undefined, startedAt: number): number | undefined {
  return dueAt === undefined ? undefined : Math.max(0, Math.round(startedAt - dueAt));
}
