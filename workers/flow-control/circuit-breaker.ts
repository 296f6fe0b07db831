import { isOfOthers, type Flow } from '../../shared/domain/destinations/flow.js';
import { deliveryError } from '../../shared/domain/errors.js';
import { openedBy, openedByRetryAfter, stateOfCircuit, type Circuit, type CircuitRules, type CircuitState, type LastProbe, type SendVerdict } from '../../shared/domain/flow/circuit.js';
import { circuitOfOthers, circuitThatWaits, endpointCircuitOf, keyIdOfCircuit, placeOfCircuit } from '../../shared/domain/flow/circuit-names.js';
import type { DeliveryResult } from '../../shared/domain/ports.js';
import { shownPhase, type ShownPhase } from '../../shared/domain/task/shown-phase.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { FlowStore } from '../../shared/queue/flow/flow-store.js';
import type { Controls } from './controls.js';
import { FirstTries } from './first-tries.js';
import type { FlowHealth, TooMuch } from './flow-health.js';
import type { Slots } from './slots.js';
import { WaitsOfOne } from './waits-of-one.js';

/** How soon to ask again whether another process still probes, ms. */
const PROBED_ELSEWHERE_MS = 1_000;
/** A circuit that moves on by less than this is not logged again, ms. */
const WORTH_A_LINE_MS = 1_000;
/** A probe of one process so soon after the last one that was written down is not, ms. */
const WORTH_A_NOTE_MS = 1_000;
/** A circuit whose time ended so long ago, ms, belongs to a destination that gets no tasks any more. */
const FORGOTTEN_CIRCUIT_MS = 3_600_000;

export interface CircuitBreakerOptions {
  readonly store: FlowStore;
  readonly controls: Controls;
  readonly slots: Slots;
  readonly health: FlowHealth;
  /** Has more than one task gone there? */
  readonly isKnown: (flow: Flow) => boolean;
  readonly rules: CircuitRules;
  readonly workerName: string;
  /** A probe lapses after this, ms: longer than any send takes. */
  readonly leaseMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly logger: Logger;
}

type Failure = DeliveryResult & { readonly kind: 'failed' };

/** The facts about an ended send that the breaker needs. */
export interface EndedSend {
  readonly flow: Flow;
  /** As the task names it: another one for the first task of an endpoint. */
  readonly named: Flow;
  readonly jobId: string;
  readonly taskId: string;
  /** Longest wait between two attempts by the task's own policy, ms. */
  readonly longestWaitMs: number;
}

/**
 * A send that finds out whether a destination is back. There is one of the whole fleet for each circuit. Beside it each process may have
 * one of its own: see `#mayProbeAlone`.
 */
interface Probe {
  /** `task`: it speaks for its own path alone. See FirstTries. */
  readonly by: 'fleet' | 'process' | 'task';
  /** Name of the circuit that it probes. */
  readonly circuit: string;
}

/**
 * Opens and closes the circuits of hosts and of endpoints, and lets single sends through an open one. The rules are pure and
 * stand in shared/domain/flow/circuit.ts; this part applies them to what this process sees, and shares the result.
 */
export class CircuitBreaker {
  /** The probes that this process sends, by job. */
  readonly #probes = new Map<string, Probe>();
  /** Circuits that this process probes for the fleet now, or is asking Redis about. */
  readonly #probing = new Set<string>();
  /** Circuits of hosts that this process probes for itself now. */
  readonly #probingAlone = new Set<string>();
  /** Circuits that another process probes, and until when we assume so. Waking their tasks before that is useless. */
  readonly #probedElsewhere = new Map<string, number>();
  readonly #firstTries = new FirstTries();
  readonly #waitsOfOne = new WaitsOfOne();

  constructor(private readonly options: CircuitBreakerOptions) {}

  /** What the circuits of a flow's host and endpoint allow now. The host comes first. */
  stateOf(flow: Flow): CircuitState {
    if (this.options.controls.circuits().size === 0) return 'closed';
    const host = this.#stateOf(flow.hostId);
    const endpoint = this.#stateOf(endpointCircuitOf(flow));
    if (isShut(host)) {
      if (this.#mayProbeAlone(flow)) return 'probe';
      return host === 'open' || endpoint === 'open' ? 'open' : 'probe';
    }
    if (isShut(endpoint)) return endpoint;
    return host === 'given_up' || endpoint === 'given_up' ? 'given_up' : 'closed';
  }

  /** @returns false while a probe of this process, or as far as known of another one, is under way */
  mayProbe(flow: Flow): boolean {
    const circuit = this.#probedCircuitOf(flow);
    return this.#mayProbeAlone(flow) || (!this.#probing.has(circuit) && this.options.now() >= (this.#probedElsewhere.get(circuit) ?? -Infinity));
  }

  /**
   * Asks for the right to be the one probe of the fleet, or the one of this process. Ended by `endProbe`. Never fails.
   * @returns false: another worker probes, the circuit is open for longer than was known here, or Redis does not answer
   */
  async takeProbe(flow: Flow, jobId: string): Promise<boolean> {
    if (this.#mayProbeAlone(flow)) {
      this.#probingAlone.add(flow.hostId);
      this.#probes.set(jobId, { by: 'process', circuit: flow.hostId });
      return true;
    }
    if (this.stateOf(flow) !== 'probe' || !this.mayProbe(flow)) return false;
    const { store, controls, workerName, leaseMs, now } = this.options;
    const circuit = this.#probedCircuitOf(flow);
    this.#probing.add(circuit);
    try {
      const probe = await store.takeProbe(circuit, workerName, leaseMs);
      if (probe === 'mine') {
        this.#probes.set(jobId, { by: 'fleet', circuit });
        return true;
      }
      if (probe === 'taken') this.#probedElsewhere.set(circuit, now() + PROBED_ELSEWHERE_MS);
      else controls.learn(circuit, probe);
    } catch {
      // Without Redis we cannot know whether another worker probes, so we do not.
    }
    this.#probing.delete(circuit);
    return false;
  }

  /**
   * Lets a task that was never sent, and that comes for the first time, try the open circuit of "the others" of its host: see FirstTries.
   * Ended by `endProbe`. @returns false: the host as a whole is shut, or there were too many of late
   */
  takeFirstTry(flow: Flow, jobId: string): boolean {
    const { controls, now } = this.options;
    const circuit = circuitOfOthers(flow);
    if (!isOfOthers(flow) || isShut(this.#stateOf(flow.hostId)) || controls.circuit(circuit)?.reason !== 'failures') return false;
    if (!this.#firstTries.take(circuit, now())) return false;
    this.#probes.set(jobId, { by: 'task', circuit });
    return true;
  }

  /** The probe of this job is over, however it ended. */
  endProbe(jobId: string): void {
    const probe = this.#probes.get(jobId);
    if (probe === undefined) return;
    this.#probes.delete(jobId);
    if (probe.by === 'process') this.#probingAlone.delete(probe.circuit);
    if (probe.by !== 'fleet') return;
    this.#probing.delete(probe.circuit);
    this.options.store.endProbe(probe.circuit, this.options.workerName).catch(() => undefined); // it lapses
  }

  /**
   * Opens or closes the circuits of a send's host and endpoint.
   * @param isTooMuch does this failure open them by its number: see FlowHealth.note
   * @param failure   undefined: delivered
   */
  learn(send: EndedSend, verdict: Exclude<SendVerdict, { kind: 'nothing' }>, isTooMuch: TooMuch, failure: Failure | undefined): void {
    if (verdict.kind === 'answered' || failure === undefined) this.#answered(send);
    else this.#failed(send, verdict, isTooMuch, failure);
  }

  /** A broker asks to be sent nothing for a while. The failure says nothing else. */
  heedQuota(send: EndedSend, failure: Failure): void {
    this.#heedRetryAfter(send, deliveryError(failure.code).failureOf === 'host' ? 'host' : 'endpoint', failure);
  }

  /** The flow has got its second task: from now on it has a circuit of its own. */
  becameKnown(flow: Flow): void {
    const name = endpointCircuitOf(flow);
    const asked = this.#waitsOfOne.take(name, this.options.controls.now());
    if (asked !== undefined) this.#open(name, asked.circuit, asked.code);
  }

  /** Sends to the destination of a circuit begin slowly again, because it was opened or closed, here or elsewhere. */
  restart(circuit: string): void {
    this.options.slots.restart(keyIdOfCircuit(circuit));
    this.options.health.forget(circuit);
  }

  /** Forgets what is too old to matter; called by each tick. */
  forgetOld(): void {
    const { controls, now } = this.options;
    this.#firstTries.forgetOld(now());
    if (this.#probedElsewhere.size > 0) {
      const at = now();
      for (const [circuit, until] of this.#probedElsewhere) if (until <= at) this.#probedElsewhere.delete(circuit);
    }
    const longAgo = controls.now() - FORGOTTEN_CIRCUIT_MS;
    for (const [circuit, { until }] of controls.circuits()) if (until < longAgo) controls.close(circuit).catch(() => undefined); // the next tick tries again
  }

  #stateOf(circuit: string): CircuitState {
    const { controls, rules } = this.options;
    const open = controls.circuit(circuit);
    return open === undefined ? 'closed' : stateOfCircuit(open, controls.now(), rules);
  }

  /**
   * The circuit of a host may be open only because some of its endpoints fail. Then an endpoint that does not fail may send,
   * one task at a time for the whole host. It would else wait until one of the failing endpoints is well again,
   * because those have the most tasks to be taken for probes. No other worker is asked, as such a probe costs one attempt at most.
   */
  #mayProbeAlone(flow: Flow): boolean {
    const { controls, health } = this.options;
    const { hostId } = flow;
    if (controls.circuit(hostId)?.reason !== 'endpoint_failures' || !isShut(this.#stateOf(hostId))) return false;
    if (this.#probingAlone.has(hostId) || controls.circuit(endpointCircuitOf(flow)) !== undefined) return false;
    // "The others" are many endpoints: that some of them fail says nothing of one that has never been tried.
    return isOfOthers(flow) || !health.isFailing(flow);
  }

  #probedCircuitOf(flow: Flow): string {
    return isShut(this.#stateOf(flow.hostId)) ? flow.hostId : endpointCircuitOf(flow);
  }

  #answered({ flow, jobId }: EndedSend): void {
    if (this.options.controls.circuits().size === 0) return;
    const probe = this.#probes.get(jobId);
    // A success closes a circuit only if the send began after it had opened: an earlier one proves nothing.
    if (probe?.circuit === flow.hostId || this.#stateOf(flow.hostId) === 'given_up') this.#close(flow.hostId);
    const endpoint = endpointCircuitOf(flow);
    if (probe?.by === 'task') this.#firstTries.giveBack(probe.circuit);
    if ((probe !== undefined && probe.by !== 'task') || this.#stateOf(endpoint) === 'given_up') this.#close(endpoint);
  }

  #failed(send: EndedSend, verdict: SendVerdict & { readonly kind: 'failed' }, isTooMuch: TooMuch, failure: Failure): void {
    const { controls } = this.options;
    const { flow, jobId } = send;
    const { hostId } = flow;
    const endpoint = endpointCircuitOf(flow);
    const probe = this.#probes.get(jobId);
    const isOfFleet = probe?.by === 'fleet';
    const hostReason = verdict.of === 'host' ? 'failures' : 'endpoint_failures';
    const waits = (failure.retryAfterMs ?? 0) > 0 && this.#heedRetryAfter(send, verdict.of, failure);
    // A failing endpoint's own circuit cools down for longer even when the probe was one of its host.
    if (!waits && isOfFleet && (probe.circuit === endpoint || (verdict.of === 'endpoint' && controls.circuit(endpoint) !== undefined))) this.#openByFailure(send, endpoint, 'failures', failure);
    else if (!waits && isTooMuch.endpoint && controls.circuit(endpoint) === undefined) this.#openByFailure(send, endpoint, 'failures', failure);
    if (isOfFleet && probe.circuit === hostId) this.#openByFailure(send, hostId, hostReason, failure);
    else if (isTooMuch.host && controls.circuit(hostId) === undefined) this.#openByFailure(send, hostId, hostReason, failure);
    else if (probe !== undefined && !isOfFleet) this.#noteProbe(probe.circuit, { task: send.taskId, at: controls.now(), code: failure.code });
  }

  /** A probe of one process prolongs nothing. There may be hundreds of them a second, so not each is written down. */
  #noteProbe(circuit: string, probe: LastProbe): void {
    const { controls } = this.options;
    const before = controls.circuit(circuit)?.lastProbe;
    if (before === undefined || probe.at - before.at >= WORTH_A_NOTE_MS) controls.noteProbe(circuit, probe).catch(() => undefined); // the next one is noted
  }

  #openByFailure(send: EndedSend, circuit: string, reason: Circuit['reason'], failure: Failure): void {
    const { controls, rules } = this.options;
    const now = controls.now();
    this.#open(circuit, openedBy(reason, failure.code, controls.circuit(circuit), now, rules, this.#lastProbe(send, failure, now)), failure.code);
  }

  /** @returns whether a circuit waits for it */
  #heedRetryAfter(send: EndedSend, of: 'host' | 'endpoint', failure: Failure): boolean {
    const { controls, rules, isKnown } = this.options;
    const { flow, named, longestWaitMs } = send;
    // The second task may have come while the first one was being sent.
    const name = circuitThatWaits(isOfOthers(flow) && isKnown(named) ? named : flow, of);
    const now = controls.now();
    const circuit = openedByRetryAfter(failure.retryAfterMs ?? 0, longestWaitMs, name === undefined ? undefined : controls.circuit(name), now, rules, this.#lastProbe(send, failure, now));
    if (name !== undefined) this.#open(name, circuit, failure.code);
    else if (!isOfOthers(named)) this.#waitsOfOne.remember(endpointCircuitOf(named), { circuit, code: failure.code });
    return name !== undefined;
  }

  #lastProbe({ jobId, taskId }: EndedSend, { code }: Failure, at: number): LastProbe | undefined {
    return this.#probes.get(jobId)?.by === 'fleet' ? { task: taskId, at, code } : undefined;
  }

  #open(name: string, circuit: Circuit, code: string): void {
    const { controls, logger } = this.options;
    const before = controls.circuit(name);
    // Sends that were in flight together fail together: one line is enough for all of them.
    if (before === undefined || circuit.until - before.until >= WORTH_A_LINE_MS) {
      logger.warn('circuit open: its tasks wait, uncounted', { ...printCircuit(name), reason: circuit.reason, code, until: new Date(circuit.until).toISOString(), since: new Date(circuit.openedAt).toISOString() });
    }
    this.restart(name);
    controls.open(name, circuit).catch(() => undefined); // it is open in this process all the same
  }

  #close(name: string): void {
    const { controls, logger } = this.options;
    if (controls.circuit(name) === undefined) return;
    logger.info('circuit closed: the destination answers again', printCircuit(name));
    this.restart(name);
    controls.close(name).catch(() => undefined); // other workers find out by a probe of their own
  }
}

function isShut(state: CircuitState): boolean {
  return state === 'open' || state === 'probe';
}

/** The names that `GET /destinations` has for it. */
function printCircuit(name: string): { readonly destination: string; readonly host?: string; readonly of?: string; readonly phase?: ShownPhase } {
  const { of, phase, key, host } = placeOfCircuit(name);
  return { destination: key, ...(of === 'endpoint' ? { host } : {}), ...(of === 'others' ? { of } : {}), ...(phase === 'dead' ? { phase: shownPhase(phase) } : {}) };
}
