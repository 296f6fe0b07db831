import { printActor } from '../../shared/domain/actor.js';
import type { AttemptRecord, DeferralNote, ReleaseNote, TaskProgress } from '../../shared/domain/task/attempt-record.js';
import type { RetryPolicy } from '../../shared/domain/task/retry-policy.js';
import { KAFKA_SCHEME } from '../../shared/domain/destinations/kafka.js';
import { stateOfCircuit, type CircuitRules } from '../../shared/domain/flow/circuit.js';
import { circuitOfOthers, endpointCircuitOf } from '../../shared/domain/flow/circuit-names.js';
import type { Flow } from '../../shared/domain/destinations/flow.js';
import { EVERYTHING, limitsOver, namesOver, pauseOver, type FlowLimits, type Pause } from '../../shared/domain/flow/flow-policy.js';
import { visibleText } from '../../shared/logging/visible-text.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { TaskView } from '../../shared/queue/tasks/task-view.js';
import { printTime } from '../http/print-time.js';

/** Facts beside the task itself that explain why it waits. */
export interface WaitingFacts {
  /** The flow of its next send; undefined when it can have none. */
  readonly flow: Flow | undefined;
  /** The settings and circuits that hold for the names of the flow: see namesOf. undefined: Redis does not tell them now. */
  readonly snapshot: FlowSnapshot | undefined;
  readonly rules: CircuitRules;
  /** Redis' time as this process knows it, milliseconds since the epoch. It counts only where there is no snapshot, which has its own. */
  readonly now: number;
}

/** The same with all that there is to know. */
export type KnownFacts = Omit<WaitingFacts, 'snapshot' | 'now'> & { readonly snapshot: FlowSnapshot };

/** The names that a snapshot has to hold for a flow: those over it, which policies go by, and those of its circuits. */
export function namesOf(flow: Flow): readonly string[] {
  return [...new Set([...namesOver(flow), flow.hostId, endpointCircuitOf(flow), circuitOfOthers(flow)])];
}

/** The part of a task that says for what it waits. */
export interface WaitingView {
  readonly state: TaskView['state'];
  readonly nextAttemptAt: number | undefined;
  readonly progress: Pick<TaskProgress, 'lastDeferral' | 'attempt'> & {
    readonly lastRelease: Pick<ReleaseNote, 'count' | 'code'> | undefined;
    readonly lastFailure: Pick<AttemptRecord, 'attempt' | 'code'> | undefined;
  };
  readonly task: { readonly retryPolicy: Pick<RetryPolicy, 'maxRetries'> };
}

export interface WaitingFor {
  readonly code: WaitingCode;
  readonly message: string;
}

/** Why a task is not being sent now. */
export const waitingCodes = [
  'initial_delay',
  'backoff',
  'dead_backoff',
  'released',
  'paused',
  'no_worker',
  'circuit_open',
  'limit',
  'rate_lowered',
  'destination_busy',
  'slot',
  'unknown',
] as const;
export type WaitingCode = (typeof waitingCodes)[number];

/**
 * A code, and a sentence for the person who asks at 3 a.m. If the time of a task has not come, it waits for its time. For
 * all others, the present state of the destination counts more than the reason for which they were put back.
 * @param facts undefined for a task that does not wait
 * @returns null for a task that does not wait
 */
export function waitingFor(view: WaitingView, facts: WaitingFacts | undefined): WaitingFor | null {
  const reason = facts === undefined ? null : reasonToWait(view, facts);
  // The sentence names flow_keys, which clients choose.
  return reason === null ? null : { ...reason, message: visibleText(reason.message) };
}

function reasonToWait(view: WaitingView, facts: WaitingFacts): WaitingFor | null {
  const { nextAttemptAt, progress } = view;
  const { snapshot, ...rest } = facts;
  // The workers go by the same clock.
  const { now } = snapshot ?? facts;
  if (nextAttemptAt === undefined) return null;
  const deferral = progress.lastDeferral;
  if (nextAttemptAt > now && deferral === undefined) return waitingForItsTime(view, nextAttemptAt);
  if (snapshot === undefined) return notKnown(nextAttemptAt, deferral);
  const known: KnownFacts = { ...rest, snapshot };
  const { workers } = snapshot;
  const obstacle = obstacleNow(known);
  if (obstacle !== undefined) return obstacle;
  if (nextAttemptAt > now && deferral !== undefined) return waitingInLine(deferral, known);
  return { code: 'slot', message: `due since ${printTime(nextAttemptAt)}; waits for a free slot of ${workers === undefined ? 'a worker' : countOf(workers)}` };
}

function waitingForItsTime({ state, progress, task }: WaitingView, nextAttemptAt: number): WaitingFor {
  const { lastRelease, lastFailure, attempt } = progress;
  const at = printTime(nextAttemptAt);
  if (lastRelease !== undefined) return { code: 'released', message: `given back ${lastRelease.count} times (${lastRelease.code}), next at ${at}` };
  if (state === 'dead_lettering') return { code: 'dead_backoff', message: `dead delivery ${attempt - 1} failed, the next one is at ${at}` };
  if (lastFailure !== undefined) return { code: 'backoff', message: `attempt ${lastFailure.attempt} of ${task.retryPolicy.maxRetries} failed with ${lastFailure.code ?? 'unknown'}, the next one is at ${at}` };
  return { code: 'initial_delay', message: `the first send is at ${at}` };
}

/** What holds its destination is not known. A reader must not take that for "nothing holds it". */
function notKnown(nextAttemptAt: number, deferral: DeferralNote | undefined): WaitingFor {
  const fact = deferral === undefined ? `due since ${printTime(nextAttemptAt)}` : `put back at ${printTime(deferral.since)} (${deferral.reason})`;
  return { code: 'unknown', message: `${fact}; the part of redis with limits, pauses, circuits and reports of workers does not answer, so why it waits now is not known` };
}

/** Reasons why nothing is sent to this destination. A setting of an operator comes first. */
export function obstacleNow(facts: KnownFacts): WaitingFor | undefined {
  const { flow, snapshot } = facts;
  const paused = pauseOver(snapshot.policies, flow === undefined ? [EVERYTHING] : namesOver(flow));
  if (paused !== undefined) return { code: 'paused', message: printPause(paused) };
  if (snapshot.workers === 0) return { code: 'no_worker', message: 'no worker is connected: none has reported within 5 s' };
  if (flow === undefined) return undefined;
  return obstacleOfCircuit(flow.host, flow.hostId, facts) ?? obstacleOfCircuit(flow.key, endpointCircuitOf(flow), facts);
}

/** `https://api.example.com was paused by Anna at 2026-11-28T12:00:00.000Z ("it is down"): nothing is sent there until it is resumed` */
function printPause({ name, pause: { since, until, by, reason } }: { readonly name: string; readonly pause: Pause }): string {
  const [what, where] = name === EVERYTHING ? ['everything (*)', 'anywhere'] : [name, 'there'];
  const who = by === undefined ? 'an operator' : printActor(by);
  const when = since === undefined ? '' : ` at ${printTime(since)}`;
  const why = reason === undefined ? '' : ` (${JSON.stringify(reason)})`;
  const end = until === undefined ? 'until it is resumed' : `until ${printTime(until)}, or until it is resumed`;
  return `${what} was paused by ${who}${when}${why}: nothing is sent ${where} ${end}`;
}

/** @param name of what the circuit belongs to, for people */
function obstacleOfCircuit(name: string, circuitName: string, { snapshot: { circuits, now }, rules }: KnownFacts): WaitingFor | undefined {
  const circuit = circuits.get(circuitName);
  if (circuit === undefined) return undefined;
  const wish = name.startsWith(KAFKA_SCHEME) ? 'asked to be left alone (its quota is used up)' : 'asked to be left alone (Retry-After)';
  const failed = circuit.reason === 'endpoint_failures' ? 'failed again and again at several endpoints' : 'failed again and again';
  const since = `${name} ${circuit.reason === 'retry_after' ? wish : failed}: its circuit is open since ${printTime(circuit.openedAt)}`;
  const state = stateOfCircuit(circuit, now, rules);
  switch (state) {
    case 'open':
      return { code: 'circuit_open', message: `${since}, the next probe is sent after ${printTime(circuit.until)}` };
    case 'probe':
      return { code: 'circuit_open', message: `${since}, single probes have been sent since ${printTime(circuit.until)}` };
    case 'closed':
    case 'given_up':
      return undefined;
  }
}

/** The task's time in the delayed set is only a safety time, for a wake-up that gets lost. */
function waitingInLine({ reason, since, until }: DeferralNote, facts: KnownFacts): WaitingFor {
  const line = `in line since ${printTime(since)}, woken when there is room, and tried at ${printTime(until)} at the latest`;
  switch (reason) {
    case 'limit': {
      const holding = facts.flow === undefined ? undefined : limitsOver(facts.snapshot.policies, namesOver(facts.flow));
      if (holding === undefined) break;
      return { code: 'limit', message: `the limit of ${holding.name} is used up (${printLimits(holding.limits)}); ${line}` };
    }
    case 'rate_lowered':
      return { code: 'rate_lowered', message: `its destination refused too many sends (429, 503), so less is sent to it for a while; ${line}` };
    case 'destination_busy':
      return { code: 'destination_busy', message: `its destination has as many sends in flight as it may have; ${line}` };
    case 'circuit_open': {
      // Until a second task goes to the same path, its task is one of "the others" of the host, and waits for their circuit.
      const obstacle = facts.flow === undefined ? undefined : obstacleOfCircuit(`the rest of ${facts.flow.host}`, circuitOfOthers(facts.flow), facts);
      if (obstacle !== undefined) return obstacle;
      break;
    }
    case 'paused':
      break;
  }
  return { code: 'destination_busy', message: `its destination is sent to again, and it comes when there is room; ${line}` };
}

function printLimits({ maxConcurrency, ratePerSecond }: FlowLimits): string {
  return [
    ...(maxConcurrency === undefined ? [] : [`at most ${maxConcurrency} in flight`]),
    ...(ratePerSecond === undefined ? [] : [`at most ${ratePerSecond} per second`]),
  ].join(', ');
}

function countOf(workers: number): string {
  return workers === 1 ? 'the 1 worker that is connected' : `one of the ${workers} workers that are connected`;
}
