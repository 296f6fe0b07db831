import type { DeferralReason } from '../../shared/domain/task/deferral.js';
import type { Flow } from '../../shared/domain/destinations/flow.js';
import { isLimited, type FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import type { CircuitBreaker } from './circuit-breaker.js';
import type { Controls } from './controls.js';
import type { FlowRow, FlowStats } from './flow-stats.js';
import type { Limiter } from './limiter.js';
import type { LoweredRates } from './lowered-rates.js';
import type { Slot } from './endpoint-slots.js';
import type { Room, Slots } from './slots.js';

const NO_ROOM: Room = { ofFlow: 0, ofHost: 0 };
const ROOM_FOR_ONE: Room = { ofFlow: 1, ofHost: 1 };

/** A task that asks whether its next send may start. */
export interface Candidate {
  /** As FlowControl.resolve gives it. */
  readonly flow: Flow;
  /** As the task names it: another one for the first task of an endpoint. */
  readonly named: Flow;
  readonly taskId: string;
  readonly jobId: string;
  /** Longest wait between two attempts by the task's own policy, ms. */
  readonly longestWaitMs: number;
  /** It was put back before it came here. */
  readonly hasWaited: boolean;
  /** It was sent before, in this phase of its run. */
  readonly hasFailed: boolean;
}

/** The limit that an operator set: the policy, and the name of the flow that it was set for. */
export interface Limit {
  readonly name: string;
  readonly policy: FlowPolicy;
}

/** The right to one send; given back with FlowControl.leave. */
export interface Ticket extends Omit<Candidate, 'hasWaited' | 'hasFailed'> {
  readonly kind: 'ticket';
  readonly slot: Slot;
  readonly row: FlowRow;
  readonly isProbe: boolean;
  /** Set where a place of a limited destination has to be given back. */
  readonly limit: Limit | undefined;
}

/** The task has to be put back, uncounted. */
export interface Refusal {
  readonly kind: 'refused';
  readonly reason: DeferralReason;
}

export type Entry = Ticket | Refusal;

export interface AdmissionParts {
  readonly controls: Controls;
  readonly breaker: CircuitBreaker;
  readonly rates: LoweredRates;
  readonly slots: Slots;
  readonly limiter: Limiter;
  readonly stats: FlowStats;
  /** Do others wait for the limit of this name already? */
  readonly isLimitAwaited: (name: string) => boolean;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * May this send start now? Asks the parts in a fixed order: pause, circuit, lowered rate, slot, limit. The limit comes
 * last because it costs a call of Redis.
 */
export class Admission {
  #isClosed = false;

  constructor(private readonly parts: AdmissionParts) {}

  /** Answers at once where it need not wait: one more microtask for each send shows in the delivery rate. */
  enter(candidate: Candidate): Entry | Promise<Entry> {
    const { controls, breaker, rates, slots, now } = this.parts;
    const { flow } = candidate;
    if (this.#isClosed) return refuse('destination_busy');
    const limit = controls.policyFor(flow);
    if (limit?.policy.isPaused === true) return refuse('paused');
    const state = breaker.stateOf(flow);
    if (state === 'open' || state === 'probe') {
      const isFirstTry = !candidate.hasWaited && !candidate.hasFailed && breaker.takeFirstTry(flow, candidate.jobId);
      if (state === 'probe' || isFirstTry) return this.#enterAsProbe(candidate, limit, isFirstTry);
      return refuse('circuit_open');
    }
    const rate = rates.of(flow);
    if (rate?.available(now()) === 0) return refuse('rate_lowered');
    if (!candidate.hasWaited && isLimited(limit?.policy) && this.parts.isLimitAwaited(limit.name)) return refuse('limit');
    const slot = slots.enter(flow, state === 'given_up');
    if (slot === undefined) return refuse('destination_busy');
    if (slot instanceof Promise) return this.#afterHold(candidate, slot);
    rate?.take(now());
    return isLimited(limit?.policy) ? this.#afterLimit(candidate, slot, limit, false) : this.#ticket(candidate, slot, undefined, false);
  }

  /** How many more sends may start now, by everything but a limit that a person has set. */
  roomFor(flow: Flow): Room {
    const { controls, breaker, rates, slots, now } = this.parts;
    if (this.#isClosed || controls.policyFor(flow)?.policy.isPaused === true) return NO_ROOM;
    const state = breaker.stateOf(flow);
    if (state === 'open') return NO_ROOM;
    if (state === 'probe') return breaker.mayProbe(flow) ? ROOM_FOR_ONE : NO_ROOM;
    const { ofFlow, ofHost } = slots.room(flow, state === 'given_up');
    return { ofFlow: Math.min(ofFlow, rates.of(flow)?.available(now()) ?? Infinity), ofHost };
  }

  /** The limit for which the next send of the flow asks Redis. A probe asks for none before it is woken. */
  limitOf(flow: Flow): Limit | undefined {
    const limit = this.parts.controls.policyFor(flow);
    return isLimited(limit?.policy) ? limit : undefined;
  }

  /** Refuses all that ask from now on, those included that are still waiting for an answer. */
  close(): void {
    this.#isClosed = true;
  }

  async #afterHold(candidate: Candidate, held: Promise<Slot | undefined>): Promise<Entry> {
    const { controls, rates, now } = this.parts;
    const slot = await held;
    if (slot === undefined) return refuse('destination_busy');
    // While it was held an operator may have paused the destination, or its circuit may have opened.
    const limit = controls.policyFor(candidate.flow);
    const reason = this.#obstacle(candidate.flow, limit);
    if (reason !== undefined) return this.#giveUp(slot, reason);
    if (rates.of(candidate.flow)?.take(now()) === false) return this.#giveUp(slot, 'rate_lowered');
    return isLimited(limit?.policy) ? this.#afterLimit(candidate, slot, limit, false) : this.#ticket(candidate, slot, undefined, false);
  }

  async #afterLimit(candidate: Candidate, slot: Slot, limit: Limit | undefined, isProbe: boolean): Promise<Entry> {
    const { controls, limiter, slots } = this.parts;
    if (limit === undefined || !isLimited(limit.policy)) return this.#ticket(candidate, slot, undefined, isProbe);
    if (!(await limiter.enter(limit.name, limit.policy, candidate.jobId))) return this.#giveUp(slot, 'limit');
    const reason = this.#obstacle(candidate.flow, controls.policyFor(candidate.flow), isProbe);
    if (reason !== undefined) {
      limiter.leave(limit.name, candidate.jobId);
      return this.#giveUp(slot, reason);
    }
    slots.begin(slot);
    return this.#ticket(candidate, slot, limit, isProbe);
  }

  /** @param isTaken it has the right to be a probe already */
  async #enterAsProbe(candidate: Candidate, limit: Limit | undefined, isTaken: boolean): Promise<Entry> {
    const { controls, breaker, slots } = this.parts;
    if (!isTaken && !(await breaker.takeProbe(candidate.flow, candidate.jobId))) return refuse('circuit_open');
    const slot = slots.force(candidate.flow);
    const reason = this.#obstacle(candidate.flow, controls.policyFor(candidate.flow), true);
    const entry = reason === undefined ? await this.#afterLimit(candidate, slot, limit, true) : this.#giveUp(slot, reason);
    if (entry.kind === 'refused') breaker.endProbe(candidate.jobId);
    return entry;
  }

  /** Why a send that has waited for its slot or its permission must not start any more. */
  #obstacle(flow: Flow, limit: Limit | undefined, isProbe = false): DeferralReason | undefined {
    if (this.#isClosed) return 'destination_busy';
    if (limit?.policy.isPaused === true) return 'paused';
    if (isProbe) return undefined;
    const state = this.parts.breaker.stateOf(flow);
    return state === 'open' || state === 'probe' ? 'circuit_open' : undefined;
  }

  #giveUp(slot: Slot, reason: DeferralReason): Refusal {
    this.parts.slots.discard(slot);
    return refuse(reason);
  }

  /** Each by its name: to spread an object costs more than the rest of this. */
  #ticket({ flow, named, taskId, jobId, longestWaitMs }: Candidate, slot: Slot, limit: Limit | undefined, isProbe: boolean): Ticket {
    return { kind: 'ticket', flow, named, taskId, jobId, longestWaitMs, slot, row: this.parts.stats.started(flow, slot.startedAt), isProbe, limit };
  }
}

function refuse(reason: DeferralReason): Refusal {
  return { kind: 'refused', reason };
}
