/**
 * How fast one process sends to a destination that answered 429: half of the rate until then, then more with each step,
 * until the limit is forgotten. The steps are multiples, because added steps would take hours where thousands of sends a
 * second are right. Times are milliseconds of any one clock.
 */
const LOWERED_TO = 0.5;
const SLOWEST_PER_SECOND = 1;
/** The 429s of one burst lower the rate once. */
const LOWER_EVERY_MS = 1_000;
const STEP_MS = 1_000;
const STEP = 1.25;
/** The limit is forgotten above this multiple of the rate that led to the last 429. */
const FORGOTTEN_ABOVE = 2;
/** After a pause, as many sends may start at once as the rate allows in this time. */
const BURST_MS = 250;

export class AdaptiveRate {
  #perSecond: number;
  #refusedRate: number;
  #loweredAt: number;
  /** Time of the last step up, or of the last 429: a rate is not raised while it leads to 429s. */
  #steppedAt: number;
  /** One from the start: the task that got the 429 may be sent again as soon as its own policy says so. */
  #tokens = 1;
  #filledAt: number;

  /** @param sentPerSecond rate of sends to the destination when it answered 429 */
  constructor(sentPerSecond: number, now: number) {
    this.#refusedRate = sentPerSecond;
    this.#perSecond = Math.max(SLOWEST_PER_SECOND, sentPerSecond * LOWERED_TO);
    this.#loweredAt = now;
    this.#steppedAt = now;
    this.#filledAt = now;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  /** The destination answered 429 again. */
  lower(now: number): void {
    this.#steppedAt = now;
    if (now - this.#loweredAt < LOWER_EVERY_MS) return;
    this.#refusedRate = this.#perSecond;
    this.#perSecond = Math.max(SLOWEST_PER_SECOND, this.#perSecond * LOWERED_TO);
    this.#loweredAt = now;
    this.#tokens = Math.min(this.#tokens, 1);
  }

  /** @returns false when it has recovered: forget it */
  recover(now: number): boolean {
    while (now - this.#steppedAt >= STEP_MS) {
      this.#perSecond *= STEP;
      this.#steppedAt += STEP_MS;
      if (this.#perSecond > Math.max(this.#refusedRate, SLOWEST_PER_SECOND) * FORGOTTEN_ABOVE) return false;
    }
    return true;
  }

  /** Whole sends that may start now. */
  available(now: number): number {
    this.#fill(now);
    return Math.floor(this.#tokens);
  }

  /** @returns false: not now */
  take(now: number): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #fill(now: number): void {
    const earned = ((now - this.#filledAt) / 1_000) * this.#perSecond;
    const most = Math.max(1, (this.#perSecond * BURST_MS) / 1_000);
    this.#tokens = Math.min(most, this.#tokens + Math.max(0, earned));
    this.#filledAt = now;
  }
}
