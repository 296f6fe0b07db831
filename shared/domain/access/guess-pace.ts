/** Wrong keys of so many seconds are answered at once: a person who has pasted an old key has to notice it quickly. */
const BURST_MS = 2_000;
/** A wrong key that would have to wait for longer is refused at once (429), ms. */
const LONGEST_WAIT_MS = 2_000;
/** Addresses that are remembered. Those that were silent for longest are forgotten first. */
const MOST_ADDRESSES = 10_000;

/**
 * Slows down wrong keys, by address: with 10 a second, 20 at once, then 10 a second. It is asked about wrong keys alone, so a right key is
 * never slowed, also when it comes from the address of somebody who guesses, as behind a shared proxy.
 */
export class GuessPace {
  /** By address: when the answer to its next wrong key would leave if it had no burst, ms. In the order of their last wrong key. */
  readonly #nextAt = new Map<string, number>();

  /** @param perSecond WRONG_KEYS_PER_SECOND */
  constructor(private readonly perSecond: number) {}

  /**
   * @param now monotonic milliseconds
   * @returns how long the answer has to wait, ms; undefined: too many of this address wait already
   */
  wrong(address: string, now: number): number | undefined {
    const before = this.#nextAt.get(address) ?? -Infinity;
    const nextAt = Math.max(before, now - BURST_MS) + 1_000 / this.perSecond;
    const waitMs = Math.max(0, nextAt - now);
    const isRefused = waitMs > LONGEST_WAIT_MS;
    this.#nextAt.delete(address);
    this.#nextAt.set(address, isRefused ? before : nextAt);
    if (this.#nextAt.size > MOST_ADDRESSES) this.#forgetOldest();
    return isRefused ? undefined : waitMs;
  }

  #forgetOldest(): void {
    for (const oldest of this.#nextAt.keys()) {
      this.#nextAt.delete(oldest);
      return;
    }
  }
}
