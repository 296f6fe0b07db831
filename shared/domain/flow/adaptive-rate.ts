/**
 * How fast one process sends to a destination that answered 429 (or 503): half of what it sent, then by steps more,
 * until nothing is left of it. Additive increase would take hours where thousands a second are right, so the steps are
 * multiples. Times in milliseconds of any one clock.
 */
const LOWERED_TO = 0.5;
const SLOWEST_PER_SECOND = 1;
/** One burst of 429 is one complaint. */
const LOWER_EVERY_MS = 1_000;
const STEP_MS = 1_000;
const STEP = 1.25;
/** Above this multiple of the rate that was complained of, the limit is forgotten. */
const FORGOTTEN_ABOVE = 2;
/** What may be sent at once after a pause. */
const BURST_MS = 250;

export class AdaptiveRate {
  #perSecond: number;
  #complainedOf: number;
  #loweredAt: number;
  /** Its last step up, or the last 429: what is complained of is not raised. */
  #steppedAt: number;
  /** The one that was complained of may come again when its own policy says so. */
  #tokens = 1;
  #filledAt: number;

  /** @param sentPerSecond to the destination, when it complained */
  constructor(sentPerSecond: number, now: number) {
    this.#complainedOf = sentPerSecond;
    this.#perSecond = Math.max(SLOWEST_PER_SECOND, sentPerSecond * LOWERED_TO);
    this.#loweredAt = now;
    this.#steppedAt = now;
    this.#filledAt = now;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  /** It answered 429 again. */
  lower(now: number): void {
    this.#steppedAt = now;
    if (now - this.#loweredAt < LOWER_EVERY_MS) return;
    this.#complainedOf = this.#perSecond;
    this.#perSecond = Math.max(SLOWEST_PER_SECOND, this.#perSecond * LOWERED_TO);
    this.#loweredAt = now;
    this.#tokens = Math.min(this.#tokens, 1);
  }

  /** @returns false when it has recovered: forget it */
  recover(now: number): boolean {
    while (now - this.#steppedAt >= STEP_MS) {
      this.#perSecond *= STEP;
      this.#steppedAt += STEP_MS;
      if (this.#perSecond > Math.max(this.#complainedOf, SLOWEST_PER_SECOND) * FORGOTTEN_ABOVE) return false;
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
