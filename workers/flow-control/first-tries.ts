/** So many may be tried at once, and so many more in a second. A host that is down and has a path for each task loses no more attempts than these. */
const MOST_AT_ONCE = 10;
const PER_SECOND = 1;

interface Allowance {
  left: number;
  /** Monotonic ms. */
  at: number;
}

/**
 * How many tasks that were never sent may try an open circuit of "the others" of a host, in this process. That other paths fail says
 * nothing of theirs, and a probe of the fleet takes the oldest task, which may be one that fails for hours.
 */
export class FirstTries {
  readonly #byCircuit = new Map<string, Allowance>();

  take(circuit: string, now: number): boolean {
    const allowance = this.#byCircuit.get(circuit) ?? { left: MOST_AT_ONCE, at: now };
    const left = Math.min(MOST_AT_ONCE, allowance.left + ((now - allowance.at) / 1_000) * PER_SECOND);
    const isTaken = left >= 1;
    this.#byCircuit.set(circuit, { left: isTaken ? left - 1 : left, at: now });
    return isTaken;
  }

  /** Forgets those of circuits that are closed. */
  keep(isOpen: (circuit: string) => boolean): void {
    for (const circuit of this.#byCircuit.keys()) if (!isOpen(circuit)) this.#byCircuit.delete(circuit);
  }
}
