/** So many may be tried at once, and so many more in a second. A host that is down and has a path for each task loses no more attempts than these. */
const MOST_AT_ONCE = 10;
const PER_SECOND = 1;
const FULL_AFTER_MS = (MOST_AT_ONCE / PER_SECOND) * 1_000;

interface Allowance {
  left: number;
  /** Monotonic ms. */
  at: number;
}

/**
 * How many tasks that were never sent may try an open circuit of "the others" of a host, in this process. That other paths fail says
 * nothing of theirs, and a probe of the fleet takes the oldest task, which may be one that fails for hours. An answer says as little of the others:
 * it closes no circuit, and the next new path may try in its place.
 */
export class FirstTries {
  readonly #byCircuit = new Map<string, Allowance>();

  take(circuit: string, now: number): boolean {
    const { left: before, at } = this.#byCircuit.get(circuit) ?? { left: MOST_AT_ONCE, at: now };
    const left = Math.min(MOST_AT_ONCE, before + ((now - at) / 1_000) * PER_SECOND);
    const isTaken = left >= 1;
    this.#byCircuit.set(circuit, { left: isTaken ? left - 1 : left, at: now });
    return isTaken;
  }

  /** One that was tried has been answered. */
  giveBack(circuit: string): void {
    const allowance = this.#byCircuit.get(circuit);
    if (allowance !== undefined) allowance.left = Math.min(MOST_AT_ONCE, allowance.left + 1);
  }

  /** Forgets those that are whole again. */
  forgetOld(now: number): void {
    for (const [circuit, { at }] of this.#byCircuit) if (now - at > FULL_AFTER_MS) this.#byCircuit.delete(circuit);
  }
}
