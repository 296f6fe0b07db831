import { openedBy, openedByRetryAfter, stateOfCircuit, type Circuit, type CircuitRules, type CircuitState } from '../../shared/domain/flow/circuit.js';
import type { DeliveryResult } from '../../shared/domain/ports.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { FlowStore } from '../../shared/queue/flow/flow-store.js';
import type { Controls } from './controls.js';
import type { Slots } from './slots.js';

/** How soon to ask again whether another process still probes, ms. */
const PROBED_ELSEWHERE_MS = 1_000;
/** A circuit that moves on by less than this is not logged again, ms. */
const WORTH_A_LINE_MS = 1_000;
/** A circuit whose time ended so long ago, ms, belongs to a host that gets no tasks any more. */
const FORGOTTEN_CIRCUIT_MS = 3_600_000;

export interface CircuitBreakerOptions {
  readonly store: FlowStore;
  readonly controls: Controls;
  readonly slots: Slots;
  readonly rules: CircuitRules;
  readonly workerName: string;
  /** A probe lapses after this, ms: longer than any send takes. */
  readonly leaseMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly logger: Logger;
}

/** The facts about an ended send that the breaker needs. */
export interface EndedSend {
  readonly host: string;
  readonly isProbe: boolean;
  /** Longest wait between two attempts by the task's own policy, ms. */
  readonly longestWaitMs: number;
}

/**
 * Opens and closes the circuits of hosts, and lets one probe at a time through an open one. The rules are pure and
 * stand in shared/domain/flow/circuit.ts; this part applies them to what this process sees, and shares the result.
 */
export class CircuitBreaker {
  /** Hosts that this process probes now. */
  readonly #probing = new Set<string>();
  /** Hosts that another process probes, and until when we assume so. Waking their tasks before that is useless. */
  readonly #probedElsewhere = new Map<string, number>();

  constructor(private readonly options: CircuitBreakerOptions) {}

  stateOf(host: string): CircuitState {
    const { controls, rules } = this.options;
    const circuit = controls.circuit(host);
    return circuit === undefined ? 'closed' : stateOfCircuit(circuit, controls.now(), rules);
  }

  /** @returns false while a probe of this process, or as far as known of another one, is under way */
  mayProbe(host: string): boolean {
    return !this.#probing.has(host) && this.options.now() >= (this.#probedElsewhere.get(host) ?? -Infinity);
  }

  /**
   * Asks Redis for the right to be the one probe of the fleet. Ended by `endProbe`. Never fails.
   * @returns false: another worker probes, the circuit is open for longer than was known here, or Redis does not answer
   */
  async takeProbe(host: string): Promise<boolean> {
    if (!this.mayProbe(host)) return false;
    const { store, controls, workerName, leaseMs, now } = this.options;
    this.#probing.add(host);
    try {
      const probe = await store.takeProbe(host, workerName, leaseMs);
      if (probe === 'mine') return true;
      if (probe === 'taken') this.#probedElsewhere.set(host, now() + PROBED_ELSEWHERE_MS);
      else controls.learn(host, probe);
    } catch {
      // Without Redis we cannot know whether another worker probes, so we do not.
    }
    this.#probing.delete(host);
    return false;
  }

  endProbe(host: string): void {
    this.#probing.delete(host);
    this.options.store.endProbe(host, this.options.workerName).catch(() => undefined); // it lapses
  }

  /**
   * Opens or closes the circuit of a host after a send.
   * @param isWell    the receiver answered, whatever it said about this one task
   * @param isTooMuch this failure is the one that opens the circuit: see Health.note
   * @param failure   undefined: delivered
   */
  learn({ host, isProbe, longestWaitMs }: EndedSend, isWell: boolean, isTooMuch: boolean, failure: (DeliveryResult & { readonly kind: 'failed' }) | undefined): void {
    const { controls, rules } = this.options;
    const open = controls.circuit(host);
    const retryAfterMs = failure?.retryAfterMs ?? 0;
    const now = controls.now();
    if (retryAfterMs > 0) this.#open(host, openedByRetryAfter(retryAfterMs, longestWaitMs, open, now, rules), failure?.code);
    else if (isProbe && !isWell) this.#open(host, openedBy('failures', open, now, rules), failure?.code);
    else if (open === undefined && isTooMuch) this.#open(host, openedBy('failures', open, now, rules), failure?.code);
    // A success closes it only if the send began after the circuit had opened: an earlier one proves nothing.
    else if (open !== undefined && isWell && (isProbe || this.stateOf(host) === 'given_up')) this.#close(host);
  }

  /** Forgets what is too old to matter; called by each tick. */
  forgetOld(): void {
    const { controls, now } = this.options;
    if (this.#probedElsewhere.size > 0) {
      const at = now();
      for (const [host, until] of this.#probedElsewhere) if (until <= at) this.#probedElsewhere.delete(host);
    }
    const longAgo = controls.now() - FORGOTTEN_CIRCUIT_MS;
    for (const [host, { until }] of controls.circuits()) if (until < longAgo) controls.close(host).catch(() => undefined); // the next tick tries again
  }

  #open(host: string, circuit: Circuit, code: string | undefined): void {
    const { controls, slots, logger } = this.options;
    const before = controls.circuit(host);
    // Sends that were in flight together fail together: one line is enough for all of them.
    if (before === undefined || circuit.until - before.until >= WORTH_A_LINE_MS) {
      logger.warn('circuit open: its tasks wait, uncounted', { destination: host, code, until: new Date(circuit.until).toISOString(), since: new Date(circuit.openedAt).toISOString() });
    }
    slots.restart(host);
    controls.open(host, circuit).catch(() => undefined); // it is open in this process all the same
  }

  #close(host: string): void {
    const { controls, slots, logger } = this.options;
    logger.info('circuit closed: the destination answers again', { destination: host });
    slots.restart(host);
    controls.close(host).catch(() => undefined); // other workers find out by a probe of their own
  }
}
