import type { Circuit } from '../../shared/domain/flow/circuit.js';

/** Paths that are remembered: one costs some 300 bytes. An API with an id in each url may ask for a wait in each of its answers. */
const MOST_REMEMBERED = 1_000;

/** A wait that was asked for, as the circuit that it would open. */
export interface AskedWait {
  readonly circuit: Circuit;
  /** Code of the failure. */
  readonly code: string;
}

/**
 * The waits that paths have asked for which are known by one task each (KnownFlows). No other task of their host waits for that, so
 * no circuit is opened. But a second task of the very path has to wait: with it the path becomes an endpoint, and the circuit is opened then.
 */
export class WaitsOfOne {
  readonly #waits = new Map<string, AskedWait>();

  get remembered(): number {
    return this.#waits.size;
  }

  /** @param name of the circuit. The oldest one is forgotten when there are too many. */
  remember(name: string, wait: AskedWait): void {
    this.#waits.delete(name);
    this.#waits.set(name, wait);
    if (this.#waits.size <= MOST_REMEMBERED) return;
    for (const oldest of this.#waits.keys()) {
      this.#waits.delete(oldest);
      return;
    }
  }

  /** Forgets it, too. @returns undefined when none was asked for, or when it is over. @param now by the clock of the circuits */
  take(name: string, now: number): AskedWait | undefined {
    const wait = this.#waits.get(name);
    if (wait === undefined) return undefined;
    this.#waits.delete(name);
    return wait.circuit.until > now ? wait : undefined;
  }
}
