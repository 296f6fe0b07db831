import type { BulkheadRules } from '../../shared/domain/flow/bulkhead-rules.js';
import type { DeferralReason } from '../../shared/domain/task/deferral.js';
import { deliveryError } from '../../shared/domain/errors.js';
import { isUnsent } from '../../shared/domain/task/outcome.js';
import { verdictOn, type CircuitRules, type SendVerdict } from '../../shared/domain/flow/circuit.js';
import { flowNamed, flowOfId, flowWithEndpoint, type Flow } from '../../shared/domain/destinations/flow.js';
import type { Pause } from '../../shared/domain/flow/flow-policy.js';
import { printReport } from '../../shared/domain/flow/flow-report.js';
import { refusalWeight } from '../../shared/domain/flow/recent-answers.js';
import type { WorkerFacts } from '../../shared/domain/flow/worker-facts.js';
import type { DeliveryResult } from '../../shared/domain/ports.js';
import type { Logger } from '../../shared/logging/logger.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';
import type { FlowStore } from '../../shared/queue/flow/flow-store.js';
import type { Deferral, WaitingLists } from '../../shared/queue/flow/waiting-lists.js';
import type { RedisClock } from '../../shared/redis/redis-clock.js';
import { Admission, type Candidate, type Entry, type Ticket } from './admission.js';
import { BulkDeferral } from './bulk-deferral.js';
import { CircuitBreaker } from './circuit-breaker.js';
import { Controls, type Asked } from './controls.js';
import { FlowHealth } from './flow-health.js';
import { FlowStats } from './flow-stats.js';
import { KnownFlows } from './known-flows.js';
import { Limiter } from './limiter.js';
import { LoweredRates } from './lowered-rates.js';
import { MisplacedTasks } from './misplaced-tasks.js';
import { SAYS_NOTHING } from './endpoint-slots.js';
import { Slots, type FailuresInARow } from './slots.js';
import { Ticker } from './ticker.js';
import { WakeUps } from './wake-ups.js';

const ANSWERED: FailuresInARow = { ofEndpoint: 0, ofHost: 0 };

/** A probe, or a place of a limited destination, lapses this long after the latest end of its send, ms. */
const LEASE_MARGIN_MS = 5_000;

export interface FlowControlOptions {
  readonly rules: BulkheadRules;
  readonly circuit: CircuitRules;
  readonly workerName: string;
  /** Longest time of a send, ms. */
  readonly sendLimitMs: number;
  /** The facts of this worker; each report contains them. */
  readonly facts: WorkerFacts;
  /** How often the worker of a shard was built anew so far; each report contains it. */
  readonly rebuilds?: () => number;
  /** It learns Redis' time from flow control, which asks five times a second anyway. */
  readonly redisClock: RedisClock;
  readonly logger: Logger;
  /** A pause is over by itself. One worker of the fleet is told of each. */
  readonly onPauseOver?: (name: string, pause: Pause) => void;
  /** Told with each tick what people ask the workers for: test sends until a worker has taken them, and bulk actions. */
  readonly onAsked?: (asked: Asked) => void;
  /** A stored name as this process spells it now. */
  readonly spelled?: (name: string) => string;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/**
 * The front door of flow control: a delivery asks it "may it start now?", and tells it what came of the send. It only
 * puts the parts together. admission.ts answers the question, circuit-breaker.ts and lowered-rates.ts learn from results,
 * wake-ups.ts brings deferred tasks back, ticker.ts keeps all of them up to date. The rules are in shared/domain/flow.
 */
export class FlowControl {
  readonly #isCircuitOn: boolean;
  readonly #now: () => number;
  readonly #controls: Controls;
  readonly #slots: Slots;
  readonly #limiter: Limiter;
  readonly #stats: FlowStats;
  readonly #health: FlowHealth;
  readonly #known = new KnownFlows((flow, firstTaskId) => {
    this.#breaker.becameKnown(flow);
    this.#wakeUps.takeFirst(flow, firstTaskId);
  });
  readonly #rates: LoweredRates;
  readonly #breaker: CircuitBreaker;
  readonly #admission: Admission;
  readonly #wakeUps: WakeUps;
  readonly #bulkDeferral: BulkDeferral;
  readonly #ticker: Ticker;

  constructor(store: FlowStore, { rules, circuit, workerName, sendLimitMs, facts, rebuilds = () => 0, redisClock, logger, onPauseOver = () => undefined, onAsked, spelled, now = () => performance.now() }: FlowControlOptions) {
    const leaseMs = sendLimitMs + LEASE_MARGIN_MS;
    this.#isCircuitOn = circuit.isOn;
    this.#now = now;
    const controls = (this.#controls = new Controls(store, redisClock, now, (name, pause) => {
      logger.info('a pause is over: its tasks are sent again', { destination: name, reason: pause.reason });
      onPauseOver(name, pause);
    }, onAsked, spelled));
    const slots = (this.#slots = new Slots({ rules, hasWindows: circuit.isOn, workers: () => controls.workers, onGrown: (endpoint) => this.#wakeUps.roomGrew(endpoint), now }));
    const limiter = (this.#limiter = new Limiter(store, workerName, leaseMs, now));
    const stats = (this.#stats = new FlowStats(now));
    const rates = (this.#rates = new LoweredRates(now));
    const health = (this.#health = new FlowHealth({ rules: circuit, workers: () => controls.workers, now }));
    const breaker = (this.#breaker = new CircuitBreaker({ store, controls, slots, health, isKnown: (flow) => this.#known.has(flow), rules: circuit, workerName, leaseMs, now, logger }));
    const admission = (this.#admission = new Admission({ controls, breaker, rates, slots, limiter, stats, isLimitAwaited: (name) => this.#wakeUps.isLimitAwaited(name), now }));
    const wakeUps = (this.#wakeUps = new WakeUps({ roomFor: (flow) => admission.roomFor(flow), limitOf: (flow) => admission.limitOf(flow), roomOfLimit: ({ name, policy }) => limiter.room(name, policy), speedOf: (flow) => slots.speedOf(flow), now }));
    this.#bulkDeferral = new BulkDeferral({ wakeUps, known: this.#known, clock: () => redisClock.now(), now });
    const misplaced = new MisplacedTasks({ wakeUps, known: this.#known, workers: () => controls.workers });
    this.#ticker = new Ticker({ controls, breaker, rates, slots, wakeUps, misplaced, report: () => store.putReport(workerName, printReport({ facts, rebuilds: rebuilds(), slots: { total: rules.slots, inUse: slots.inFlight }, samples: stats.sample() })) });
  }

  /** Resolves when limits, circuits and Redis' time are known: before that nothing may be sent. @throws when Redis fails */
  async start(): Promise<void> {
    await this.#ticker.start();
  }

  /** Other paths are hidden now: what was set under an open path holds for its hidden one. */
  namesHaveChanged(): void {
    this.#controls.namesHaveChanged();
  }

  /** Workers of the whole fleet, this one included, as of the last 200 ms; >= 1. */
  get workers(): number {
    return this.#controls.workers;
  }

  /** Slots of this worker that are in use. */
  get slotsInUse(): number {
    return this.#slots.inFlight;
  }

  /** Sends of this worker that are in flight, by host or cluster. */
  inFlightByHost(): ReadonlyMap<string, number> {
    return this.#stats.inFlightByHost();
  }

  /** Begins to wake tasks of one more shard. */
  watch(waitingLists: WaitingLists): void {
    this.#wakeUps.watch(waitingLists);
    this.#bulkDeferral.watch(waitingLists);
  }

  /**
   * The flow under which a task's next send is counted, waits and gets its slots: its own, or "the others" of its host. A flow
   * that an operator set something for is always its own.
   */
  resolve(flow: Flow, taskId: string): Flow {
    if (flow.key !== flow.endpoint && this.#controls.hasPolicy(flow.endpoint)) {
      // So many flow_keys may wait for one paused endpoint that their waiting lists would be asked in vain all the time.
      return this.#controls.isPaused(flow.endpoint) && !this.#controls.hasPolicy(flow.key) ? flowNamed(flow.endpoint, flow.host) : flowWithEndpoint(flow);
    }
    if (this.#controls.hasPolicy(flow.key)) return flow;
    const resolved = this.#known.resolve(flow, taskId);
    if (resolved === flow || !this.#wakeUps.hasList(flow)) return resolved;
    // Another worker has found out that it is an endpoint, and has given it a waiting list.
    this.#known.learn(flow);
    this.#breaker.becameKnown(flow);
    return flow;
  }

  /** The flow in whose waiting list a task waits: its own, unless its host has very many lists already. */
  waitsIn(flow: Flow, taskId: string): Flow {
    return this.#listOf(this.resolve(flow, taskId));
  }

  /** From now on this process fetches nothing: what it woke would wait for others to fetch it. */
  stopWaking(): void {
    this.#wakeUps.close();
  }

  /** May this send start now? Answers at once where it need not wait: see Admission.enter. */
  enter(candidate: Candidate): Entry | Promise<Entry> {
    this.#wakeUps.arrived(candidate.flow);
    return this.#admission.enter(candidate);
  }

  /** Did the circuit open while this send was under way, or does its failure open it? To be asked before `leave`. */
  hasCircuitOpenedDuring({ flow, isProbe }: Ticket, failure: FailedResult): boolean {
    if (this.#isCircuitOn && isUnsent(failure)) return true;
    if (isProbe) return false;
    const state = this.#breaker.stateOf(flow);
    return state === 'open' || state === 'probe';
  }

  /** @param result undefined: the send never came to an end, by a bug of ours */
  leave(ticket: Ticket, result: DeliveryResult | undefined): void {
    const { flow, named, slot, row, limit, jobId, taskId, isProbe } = ticket;
    const verdict = verdictOn(result);
    const failure = result?.kind === 'failed' ? result : undefined;
    const at = this.#now();
    this.#stats.ended(row, failure !== undefined && !deliveryError(failure.code).usesAttempt ? undefined : result?.kind, at - slot.startedAt, named, at);
    if (limit !== undefined) this.#limiter.leave(limit.name, jobId);
    if (verdict.kind === 'nothing') {
      this.#slots.discard(slot);
      if (this.#isCircuitOn && failure !== undefined && isUnsent(failure)) this.#breaker.heedQuota(ticket, failure);
    } else {
      const isTooMuch = this.#health.note(flow, verdict, taskId, at);
      this.#slots.leave(slot, this.#failuresInARow(flow, verdict), at);
      if (this.#isCircuitOn) {
        const refusal = failure === undefined ? 0 : refusalWeight(failure.code, failure.httpStatus);
        row.answers.note(refusal, taskId, slot.startedAt, at);
        this.#rates.answered(flow, refusal, slot.startedAt, row.answers);
        this.#breaker.learn(ticket, verdict, isTooMuch, failure);
      }
    }
    if (isProbe) this.#breaker.endProbe(jobId);
    this.#wakeUps.leave(flow);
  }

  /**
   * To be called before `enter` for a job whose worker died, with the flow as it is named. The dead worker may have held a place of a limited
   * destination, and the job may now be put back for a long time without giving that place back.
   */
  recovered(flow: Flow, jobId: string): void {
    const limit = this.#controls.policyFor(flow);
    if (limit?.policy.maxConcurrency !== undefined) this.#limiter.recovered(limit.name, jobId);
  }

  /** Tasks that wait for the destination, as far as this process knows. */
  waiting(flow: Flow): number {
    return this.#wakeUps.waiting(flow);
  }

  /**
   * Puts a job that was refused back, and into the waiting list of its flow.
   * @param named the flow as the task names it
   * @throws as WaitingLists.defer
   */
  async defer(waitingLists: WaitingLists, { flow, named }: { readonly flow: Flow; readonly named: Flow }, reason: DeferralReason, deferral: Deferral): Promise<void> {
    const waitsIn = this.#listOf(flow);
    // Only a pause of the host is about all that waits with the others; what stopped this flow alone must not stop them.
    if (waitsIn === flow || reason === 'paused') this.#bulkDeferral.deferred(waitsIn, reason);
    // Of a delivery its search fields say which endpoint it goes to: see misplaced-tasks.ts.
    const isDeadAmongOthers = waitsIn.isDead && waitsIn.id === waitsIn.hostId;
    await this.#wakeUps.defer(waitingLists, waitsIn, isDeadAmongOthers ? { ...deferral, fields: { ...deferral.fields, [jobField.deadFlow]: named.id } } : deferral);
  }

  #listOf(flow: Flow): Flow {
    if (this.#wakeUps.hasOwnList(flow)) return flow;
    const { key, endpoint, host, isDead, hostId } = flow;
    if (this.#controls.hasPolicy(key)) return flow;
    // What was set for an endpoint holds for all that goes there, and for nothing else of its host.
    return this.#controls.hasPolicy(endpoint) ? flowNamed(endpoint, host, { isDead }) : flowOfId(hostId);
  }

  /** A failure of the endpoint says nothing of its host, and the other way round: neither window grows or shrinks by it. */
  #failuresInARow(flow: Flow, verdict: Exclude<SendVerdict, { kind: 'nothing' }>): FailuresInARow {
    // Nearly all sends. Both were well just now.
    if (verdict.kind === 'answered') return ANSWERED;
    return verdict.of === 'host' ? { ofEndpoint: SAYS_NOTHING, ofHost: this.#health.failuresOfHost(flow) } : { ofEndpoint: this.#health.failuresOfEndpoint(flow), ofHost: SAYS_NOTHING };
  }

  /** No more starts and no more wake-ups: held tasks are deferred now. */
  close(): void {
    this.#admission.close();
    this.#ticker.stop();
    this.#wakeUps.close();
    this.#bulkDeferral.close();
    this.#slots.close();
    this.#limiter.releaseHeld();
  }
}

type FailedResult = Extract<DeliveryResult, { kind: 'failed' }>;
