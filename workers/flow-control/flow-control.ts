import { AdaptiveRate } from '../../shared/domain/flow/adaptive-rate.js';
import { openedBy, openedByRetryAfter, stateOfCircuit, weightOf, type Circuit, type CircuitRules, type CircuitState } from '../../shared/domain/flow/circuit.js';
import { deliveryError } from '../../shared/domain/errors.js';
import type { BulkheadRules, DeferralReason } from '../../shared/domain/flow/bulkhead-rules.js';
import { waitingListOf, type Flow } from '../../shared/domain/flow/flow-key.js';
import { isLimited, type FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import { printReport } from '../../shared/domain/flow/flow-report.js';
import type { Clock, DeliveryResult } from '../../shared/domain/ports.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { ControlChange, FlowStore } from '../../shared/queue/flow/flow-store.js';
import type { Deferral, WaitingLists } from '../../shared/queue/flow/waiting-lists.js';
import { Slots, type Slot } from './slots.js';
import { Controls } from './controls.js';
import { FlowStats, type FlowRow } from './flow-stats.js';
import { Limiter } from './limiter.js';
import { BulkDeferral } from './bulk-deferral.js';
import { WakeUps } from './wake-ups.js';

/** How often what others did is looked at: limits, circuits, waiting lists that another process filled. */
const TICK_MS = 200;
const TICKS_PER_REPORT = 5;
/** A probe, or a place of a limited destination, lapses that long after the send it belongs to must be over. */
const LEASE_MARGIN_MS = 5_000;
/** How soon to ask again whether another process still probes, milliseconds. */
const OTHERS_PROBE_MS = 1_000;
const WORTH_A_LINE_MS = 1_000;
/** A circuit that nobody has closed or opened again for so long belongs to a destination that nobody sends to. */
const FORGOTTEN_CIRCUIT_MS = 3_600_000;

/** The right to one send; given back with `leave`. */
export interface Ticket extends Candidate {
  readonly kind: 'ticket';
  readonly slot: Slot;
  readonly row: FlowRow;
  readonly isProbe: boolean;
  /** Set where a place of a limited destination has to be given back. */
  readonly limit: Limit | undefined;
}

export interface Refusal {
  readonly kind: 'refused';
  readonly reason: DeferralReason;
}

export type Entry = Ticket | Refusal;

interface Limit {
  readonly name: string;
  readonly policy: FlowPolicy;
}

export interface FlowControlOptions {
  readonly rules: BulkheadRules;
  readonly circuit: CircuitRules;
  readonly workerName: string;
  /** Longest time of a send, ms. */
  readonly sendLimitMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

interface Candidate {
  readonly flow: Flow;
  readonly taskId: string;
  readonly jobId: string;
  /** Longest wait between two attempts by the task's own policy, ms. */
  readonly longestWaitMs: number;
}

/**
 * The one place that is asked "may it start now?", and that is told what came of it. It only puts the parts together:
 * the rules are in shared/domain (flow-control.ts, send-window.ts, circuit.ts, adaptive-rate.ts), the slots are the
 * bulkhead's, what the fleet shares is in Redis (flow-store.ts), and wake-ups.ts brings deferred tasks back.
 */
export class FlowControl {
  readonly #slots: Slots;
  readonly #controls: Controls;
  readonly #limiter: Limiter;
  readonly #stats: FlowStats;
  readonly #wakeUps: WakeUps;
  readonly #bulkDeferral: BulkDeferral;
  readonly #now: () => number;
  /** Of flows that answered 429, by waiting list: of all origins of a flow_key only the one that complained is sent less. */
  readonly #rates = new Map<string, AdaptiveRate>();
  /** Groups that this process probes now. */
  readonly #probing = new Set<string>();
  /** Groups that others probe, and until when that is taken for granted: what is woken meanwhile is woken in vain. */
  readonly #probedByOthers = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #isClosed = false;

  constructor(
    private readonly store: FlowStore,
    private readonly options: FlowControlOptions,
  ) {
    const { rules, circuit, workerName, sendLimitMs, clock, now = () => performance.now() } = options;
    this.#now = now;
    this.#controls = new Controls(store, clock);
    this.#slots = new Slots({ rules, hasWindows: circuit.isOn, workers: () => this.#controls.workers, now });
    this.#limiter = new Limiter(store, workerName, sendLimitMs + LEASE_MARGIN_MS, now);
    this.#stats = new FlowStats(now);
    this.#wakeUps = new WakeUps({ roomFor: (flow) => this.#roomFor(flow), now });
    this.#bulkDeferral = new BulkDeferral({ wakeUps: this.#wakeUps, clock, now });
  }

  /** Nothing may start before: what operators set is not known yet. */
  async start(): Promise<void> {
    await this.#controls.refresh();
    // A full Redis takes no report, and does not keep a worker from starting: the ticks try again.
    await this.#report().catch(() => undefined);
    this.#timer ??= setTimeout(() => void this.#tick(), TICK_MS);
  }

  /** Begins to wake tasks of one more shard. */
  watch(waitingLists: WaitingLists): void {
    this.#wakeUps.watch(waitingLists);
    this.#bulkDeferral.watch(waitingLists);
  }

  /** At once where nothing has to be waited for: a microtask for every send is felt. */
  enter(candidate: Candidate): Entry | Promise<Entry> {
    const { flow } = candidate;
    if (this.#isClosed) return refuse('destination_busy');
    this.#wakeUps.arrived(flow.host);
    const limit = this.#controls.policyFor(flow);
    if (limit?.policy.isPaused === true) return refuse('paused');
    const state = this.#stateOf(flow.host);
    switch (state) {
      case 'open':
        return refuse('circuit_open');
      case 'probe':
        return this.#probe(candidate, limit);
      case 'given_up':
      case 'closed':
        break;
    }
    const rate = this.#rateOf(flow);
    if (rate?.available(this.#now()) === 0) return refuse('rate_lowered');
    const slot = this.#slots.enter(flow.host, state === 'given_up');
    if (slot === undefined) return refuse('destination_busy');
    if (slot instanceof Promise) return this.#afterHold(candidate, slot);
    rate?.take(this.#now());
    return isLimited(limit?.policy) ? this.#afterLimit(candidate, slot, limit, false) : this.#ticket(candidate, slot, undefined, false);
  }

  /** Has the circuit been opened while this send was under way? To be asked before `leave`. */
  hasCircuitOpenedDuring({ flow, isProbe }: Ticket): boolean {
    if (isProbe) return false;
    const state = this.#stateOf(flow.host);
    return state === 'open' || state === 'probe';
  }

  /** @param result undefined: the send never came to an end, by a bug of ours */
  leave(ticket: Ticket, result: DeliveryResult | undefined): void {
    const { flow, slot, row, limit, jobId, taskId } = ticket;
    const { circuit: rules } = this.options;
    const weight = result === undefined ? undefined : failureWeight(result);
    this.#stats.ended(row, weight === undefined ? undefined : result?.kind, this.#now() - slot.startedAt);
    if (limit !== undefined) this.#limiter.leave(limit.name, jobId);
    if (weight === undefined) {
      this.#slots.discard(slot);
    } else {
      const { health } = slot.destination;
      const isTooMuch = health.note(weight, taskId, this.#now(), rules, this.#controls.workers);
      this.#slots.leave(slot, health.failuresInARow);
      if (rules.isOn) this.#learn(ticket, weight === 0, isTooMuch, result);
    }
    if (ticket.isProbe) this.#endProbe(flow.host);
    this.#wakeUps.leave(flow);
  }

  /**
   * To be called before `enter` for a job whose worker died: it may be put back for a long time, and all places of its
   * destination may be those of dead workers.
   */
  recovered(flow: Flow, jobId: string): void {
    const limit = this.#controls.policyFor(flow);
    if (limit?.policy.maxConcurrency !== undefined) this.#limiter.recovered(limit.name, jobId);
  }

  /** Tasks that wait for the destination, as far as this process knows. */
  waiting(flow: Flow): number {
    return this.#wakeUps.waiting(flow);
  }

  /** Puts a job that was refused back, and into its line. @throws as WaitingLists.defer */
  async defer(waitingLists: WaitingLists, flow: Flow, reason: DeferralReason, deferral: Deferral): Promise<void> {
    this.#bulkDeferral.deferred(flow, reason);
    await this.#wakeUps.defer(waitingLists, flow, deferral);
  }

  /** No more starts and no more wake-ups: held tasks are deferred now. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#wakeUps.close();
    this.#bulkDeferral.close();
    this.#slots.releaseHeld();
    this.#limiter.releaseHeld();
  }

  #ticket(candidate: Candidate, slot: Slot, limit: Limit | undefined, isProbe: boolean): Ticket {
    return { kind: 'ticket', ...candidate, slot, row: this.#stats.started(candidate.flow), isProbe, limit };
  }

  async #afterHold(candidate: Candidate, held: Promise<Slot | undefined>): Promise<Entry> {
    const slot = await held;
    if (slot === undefined) return refuse('destination_busy');
    // Meanwhile somebody may have paused it, or found out that it is down.
    const limit = this.#controls.policyFor(candidate.flow);
    const reason = this.#obstacle(candidate.flow, limit);
    if (reason !== undefined) return this.#putDown(slot, reason);
    if (this.#rateOf(candidate.flow)?.take(this.#now()) === false) return this.#putDown(slot, 'rate_lowered');
    return isLimited(limit?.policy) ? this.#afterLimit(candidate, slot, limit, false) : this.#ticket(candidate, slot, undefined, false);
  }

  async #afterLimit(candidate: Candidate, slot: Slot, limit: Limit | undefined, isProbe: boolean): Promise<Entry> {
    if (limit === undefined || !isLimited(limit.policy)) return this.#ticket(candidate, slot, undefined, isProbe);
    if (!(await this.#limiter.enter(limit.name, limit.policy, candidate.jobId))) return this.#putDown(slot, 'limit');
    const reason = this.#obstacle(candidate.flow, this.#controls.policyFor(candidate.flow), isProbe);
    if (reason !== undefined) {
      this.#limiter.leave(limit.name, candidate.jobId);
      return this.#putDown(slot, reason);
    }
    this.#slots.begin(slot);
    return this.#ticket(candidate, slot, limit, isProbe);
  }

  #obstacle({ host }: Flow, limit: Limit | undefined, isProbe = false): DeferralReason | undefined {
    if (this.#isClosed) return 'destination_busy';
    if (limit?.policy.isPaused === true) return 'paused';
    if (isProbe) return undefined;
    const state = this.#stateOf(host);
    return state === 'open' || state === 'probe' ? 'circuit_open' : undefined;
  }

  #putDown(slot: Slot, reason: DeferralReason): Refusal {
    this.#slots.discard(slot);
    return refuse(reason);
  }

  async #probe(candidate: Candidate, limit: Limit | undefined): Promise<Entry> {
    const { host } = candidate.flow;
    if (!this.#mayProbe(host)) return refuse('circuit_open');
    this.#probing.add(host);
    const { workerName, sendLimitMs } = this.options;
    try {
      const probe = await this.store.takeProbe(host, workerName, sendLimitMs + LEASE_MARGIN_MS);
      if (probe !== 'mine') {
        this.#probing.delete(host);
        if (probe === 'taken') this.#probedByOthers.set(host, this.#now() + OTHERS_PROBE_MS);
        else this.#controls.learn(host, probe);
        return refuse('circuit_open');
      }
    } catch {
      this.#probing.delete(host);
      return refuse('circuit_open'); // Redis is away or full: nobody can tell whether somebody else probes
    }
    const slot = this.#slots.force(host);
    const reason = this.#obstacle(candidate.flow, this.#controls.policyFor(candidate.flow), true);
    const entry = reason === undefined ? await this.#afterLimit(candidate, slot, limit, true) : this.#putDown(slot, reason);
    if (entry.kind === 'refused') this.#endProbe(host);
    return entry;
  }

  #mayProbe(host: string): boolean {
    return !this.#probing.has(host) && this.#now() >= (this.#probedByOthers.get(host) ?? -Infinity);
  }

  #endProbe(host: string): void {
    this.#probing.delete(host);
    this.store.endProbe(host, this.options.workerName).catch(() => undefined); // it lapses
  }

  /** What the result says of the destination as a whole. */
  #learn({ flow, row, isProbe, longestWaitMs }: Ticket, isWell: boolean, isTooMuch: boolean, result: DeliveryResult | undefined): void {
    const { circuit: rules } = this.options;
    const { host } = flow;
    const open = this.#controls.circuit(host);
    const failure = result?.kind === 'failed' ? result : undefined;
    if (failure?.httpStatus === 429) this.#lowerRate(row);
    const retryAfterMs = failure?.retryAfterMs ?? 0;
    const now = this.#controls.now();
    if (retryAfterMs > 0) this.#open(host, openedByRetryAfter(retryAfterMs, longestWaitMs, open, now, rules), failure?.code);
    else if (isProbe && !isWell) this.#open(host, openedBy('failures', open, now, rules), failure?.code);
    else if (open === undefined && isTooMuch) this.#open(host, openedBy('failures', open, now, rules), failure?.code);
    // A send that began before the circuit was opened proves nothing.
    else if (open !== undefined && isWell && (isProbe || this.#stateOf(host) === 'given_up')) this.#close(host);
  }

  #open(host: string, circuit: Circuit, code: string | undefined): void {
    const before = this.#controls.circuit(host);
    // Not for each of those that were in flight: they say the same.
    if (before === undefined || circuit.until - before.until >= WORTH_A_LINE_MS) {
      this.options.logger.warn('circuit open: its tasks wait, uncounted', { destination: host, code, until: new Date(circuit.until).toISOString(), since: new Date(circuit.openedAt).toISOString() });
    }
    this.#slots.restart(host);
    this.#controls.open(host, circuit).catch(() => undefined); // here it holds all the same
  }

  #close(host: string): void {
    this.options.logger.info('circuit closed: the destination answers again', { destination: host });
    this.#slots.restart(host);
    this.#controls.close(host).catch(() => undefined); // others find out by their own probe
  }

  #rateOf(flow: Flow): AdaptiveRate | undefined {
    return this.#rates.size === 0 ? undefined : this.#rates.get(waitingListOf(flow));
  }

  #lowerRate(row: FlowRow): void {
    const now = this.#now();
    const rate = this.#rateOf(row.flow);
    if (rate === undefined) this.#rates.set(waitingListOf(row.flow), new AdaptiveRate(this.#stats.ratePerSecond(row), now));
    else rate.lower(now);
  }

  #stateOf(host: string): CircuitState {
    const circuit = this.#controls.circuit(host);
    return circuit === undefined ? 'closed' : stateOfCircuit(circuit, this.#controls.now(), this.options.circuit);
  }

  #roomFor(flow: Flow): number | Promise<number> {
    const limit = this.#controls.policyFor(flow);
    if (this.#isClosed || limit?.policy.isPaused === true) return 0;
    const state = this.#stateOf(flow.host);
    if (state === 'open') return 0;
    if (state === 'probe') return this.#mayProbe(flow.host) ? 1 : 0;
    const bySlots = this.#slots.room(flow.host, state === 'given_up');
    const byRate = this.#rateOf(flow)?.available(this.#now()) ?? Infinity;
    const room = Math.min(bySlots, byRate);
    if (room === 0 || limit === undefined || !isLimited(limit.policy)) return room;
    return this.#limiter.room(limit.name, limit.policy).then((byLimit) => Math.min(room, byLimit));
  }

  async #tick(): Promise<void> {
    try {
      for (const change of await this.#controls.refresh()) this.#heed(change);
      this.#forgetOld();
      await this.#wakeUps.tick();
      this.#ticks += 1;
      if (this.#ticks % TICKS_PER_REPORT === 0) await this.#report();
    } catch {
      // Redis is away: whoever owns the connection says so, and the next tick tries again.
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#tick(), TICK_MS);
  }

  /** Also tells that this worker is there. */
  async #report(): Promise<void> {
    await this.store.putReport(this.options.workerName, printReport(this.#stats.sample()));
  }

  /** Whoever may be sent to again starts slowly, in every process. */
  #heed(change: ControlChange): void {
    if (change.kind === 'circuit' && change.circuit === undefined) this.#slots.restart(change.name);
    if (change.kind === 'policy' && change.policy?.isPaused !== true) {
      for (const { host } of this.#wakeUps.flowsNamed(change.name)) this.#slots.restart(host);
    }
  }

  #forgetOld(): void {
    const now = this.#now();
    for (const [waitingList, rate] of this.#rates) if (!rate.recover(now)) this.#rates.delete(waitingList);
    for (const [host, until] of this.#probedByOthers) if (until <= now) this.#probedByOthers.delete(host);
    const longAgo = this.#controls.now() - FORGOTTEN_CIRCUIT_MS;
    for (const [host, { until }] of this.#controls.circuits()) if (until < longAgo) this.#controls.close(host).catch(() => undefined); // the next tick tries again
  }
}

/** @returns 0: it answered, whatever it said of this task. undefined: the failure was ours, and says nothing of the destination */
function failureWeight(result: DeliveryResult): number | undefined {
  if (result.kind === 'delivered') return 0;
  return deliveryError(result.code).usesAttempt ? weightOf(result.code, result.httpStatus) : undefined;
}

function refuse(reason: DeferralReason): Refusal {
  return { kind: 'refused', reason };
}
