/** All work through long bodies together may use this much of a turn of the event loop, ms. */
const TURN_MS = 10;

/**
 * Deals out turns of the event loop to work that takes milliseconds, so that other requests are not held up by it. If
 * each batch interrupted itself (setImmediate), all batches would go on in the same turn.
 */
export class WorkTurns {
  readonly #waiting: (() => void)[] = [];
  /** Of the work in this turn of the event loop. */
  #startedAt: number | undefined;
  #turn = 0;

  /** Work that can be interrupted has to ask often, and to wait for `next` when it is true. */
  get isUsedUp(): boolean {
    const now = performance.now();
    if (this.#startedAt !== undefined) return now - this.#startedAt >= TURN_MS;
    this.#startedAt = now;
    this.#turn += 1;
    setImmediate(this.#end, this.#turn);
    return false;
  }

  /** Resolves in a turn that no other work has which waits here. The oldest is first. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(this.#give);
    });
  }

  readonly #give = (): void => {
    this.#startedAt = undefined;
    this.#waiting.shift()?.();
    // Node runs an immediate that is set in another one only after it has looked at the sockets.
    if (this.#waiting.length > 0) setImmediate(this.#give);
  };

  readonly #end = (turn: number): void => {
    if (turn === this.#turn) this.#startedAt = undefined;
  };
}
