/**
 * How fast one process sends to a destination that refuses too much (recent-answers.ts): half of the rate until then, then
 * more with each step, until the limit is forgotten. The steps are multiples, because added steps would take hours where
 * thousands of sends a second are right. Times are milliseconds of any one clock.
 */
const LOWERED_TO = 0.5;
/**
 * Sends a second that a first lowering, or one from above, leaves. A destination that is hardly sent anything must not have
 * all its tasks delayed. Only refusals at this rate lower it further.
 */
const FIRST_FLOOR_PER_SECOND = 10;
const SLOWEST_PER_SECOND = 1;
/** The refusals of one burst lower the rate once. */
const LOWER_EVERY_MS = 1_000;
const STEP_MS = 1_000;
const STEP = 1.25;
/** The limit is forgotten above this multiple of the rate that led to the last lowering. */
const FORGOTTEN_ABOVE = 2;
/** After a pause, as many sends may start at once as the rate allows in this time. */
const BURST_MS = 250;

export class AdaptiveRate {
  #perSecond: number;
  #refusedRate: number;
  #loweredAt: number;
  /** Time of the last step up, or of the last refusal: a rate is not raised while it leads to refusals. */
  #steppedAt: number;
  /** One from the start: a task that was refused may be sent again as soon as its own policy says so. */
  #tokens = 1;
  #filledAt: number;

  /** @param sentPerSecond rate of sends to the destination when it refused too much */
  constructor(sentPerSecond: number, now: number) {
    this.#refusedRate = sentPerSecond;
    this.#perSecond = lowered(sentPerSecond, FIRST_FLOOR_PER_SECOND);
    this.#loweredAt = now;
    this.#steppedAt = now;
    this.#filledAt = now;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  /**
   * The destination refuses too much at this rate, too.
   * @returns false when the rate stays as it is, because it was lowered just now
   */
  lower(now: number): boolean {
    this.hold(now);
    if (now - this.#loweredAt < LOWER_EVERY_MS) return false;
    this.#refusedRate = this.#perSecond;
    this.#perSecond = lowered(this.#perSecond, this.#perSecond > FIRST_FLOOR_PER_SECOND ? FIRST_FLOOR_PER_SECOND : SLOWEST_PER_SECOND);
    this.#loweredAt = now;
    this.#tokens = Math.min(this.#tokens, 1);
    return true;
  }

  /** The destination has refused a send: the rate is not raised for a step. */
  hold(now: number): void {
    this.#steppedAt = now;
  }

  /** @returns false when it has recovered: forget it */
  recover(now: number): boolean {
    while (now - this.#steppedAt >= STEP_MS) {
      this.#perSecond *= STEP;
      this.#steppedAt += STEP_MS;
      if (this.#perSecond > Math.max(this.#refusedRate, FIRST_FLOOR_PER_SECOND) * FORGOTTEN_ABOVE) return false;
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

function lowered(perSecond: number, floor: number): number {
  return Math.max(floor, perSecond * LOWERED_TO);
}
