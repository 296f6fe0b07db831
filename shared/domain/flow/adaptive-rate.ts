import { fullnessOf } from './recent-answers.js';

/**
 * How fast one process sends to a destination that refuses too much (recent-answers.ts): as much as it accepted until then, but at
 * least half and at most four fifths of what it was sent. Then more with each step, until the limit is forgotten. The steps are multiples, because
 * added steps would take hours where thousands of sends a second are right. Refusals make a step smaller, in proportion to how
 * many of them are borne: so a steady small share of them does not keep the rate down, and a destination that can take so many sends a
 * second and no more is led to a little above them, and not past that. Times are milliseconds of any one clock.
 */
const LOWERED_TO_AT_LEAST = 0.5;
const LOWERED_TO_AT_MOST = 0.8;
/**
 * Sends a second that a first lowering, or one from above, leaves. A destination that is hardly sent anything must not have
 * all its tasks delayed. Only refusals at this rate lower it further.
 */
const FIRST_FLOOR_PER_SECOND = 10;
const SLOWEST_PER_SECOND = 1;
/** The refusals of one burst lower the rate once. */
const LOWER_EVERY_MS = 1_000;
const STEP_MS = 1_000;
/** A step without any refusal raises the rate by this part of it. */
const STEP = 0.25;
/** A step lasts until answers to its own sends were seen for so long: a receiver that takes seconds must not be sent more before it has answered. */
const SEEN_FOR_MS = 500;
/** A step ends all the same when it has lasted so long. */
const LONGEST_STEP_MS = 10_000;
/**
 * The limit is forgotten above this multiple of the rate that led to the last lowering, as soon as fewer sends come than it lets start. Before that all
 * that waits would start at once.
 */
const FORGOTTEN_ABOVE = 2;
/** After a pause, as many sends may start at once as the rate allows in this time. */
const BURST_MS = 250;

export class AdaptiveRate {
  #perSecond: number;
  #refusedRate: number;
  #loweredAt: number;
  #steppedAt: number;
  /** Sends of this step, and the answers to them: other rates led to the other answers. */
  #taken = 0;
  #accepted = 0;
  #weight = 0;
  #firstAnsweredAt: number | undefined;
  /** More sends have come within this step than may start. */
  #isUsedUp = false;
  /** One from the start: a task that was refused may be sent again as soon as its own policy says so. */
  #tokens = 1;
  #filledAt: number;

  /**
   * @param sentPerSecond     sends to the destination when it refused too much
   * @param acceptedPerSecond those of them that it did not refuse
   */
  constructor(sentPerSecond: number, acceptedPerSecond: number, now: number) {
    this.#refusedRate = sentPerSecond;
    this.#perSecond = lowered(sentPerSecond, acceptedPerSecond, FIRST_FLOOR_PER_SECOND);
    this.#loweredAt = now;
    this.#steppedAt = now;
    this.#filledAt = now;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  /** An answer. @param weight as refusalWeight says; 0: accepted. @param startedAt when its send began: one from before this step says nothing */
  note(weight: number, startedAt: number, now: number): void {
    if (startedAt < this.#steppedAt) return;
    this.#firstAnsweredAt ??= now;
    if (weight === 0) this.#accepted += 1;
    else this.#weight += weight;
  }

  /**
   * The destination refuses too much at this rate, too.
   * @returns false when the rate stays as it is, because it was lowered just now
   */
  lower(acceptedPerSecond: number, now: number): boolean {
    if (now - this.#loweredAt < LOWER_EVERY_MS) return false;
    this.#refusedRate = this.#perSecond;
    this.#perSecond = lowered(this.#perSecond, acceptedPerSecond, this.#perSecond > FIRST_FLOOR_PER_SECOND ? FIRST_FLOOR_PER_SECOND : SLOWEST_PER_SECOND);
    this.#loweredAt = now;
    this.#tokens = Math.min(this.#tokens, 1);
    this.#beginStep(now);
    return true;
  }

  /**
   * Raises the rate when a step is over. Not by several steps at once: the process may have stood still, and has sent nothing then.
   * @param fullness of the last seconds (RecentAnswers.fullness): where answers are few, those of one step are chance
   * @returns false when it has recovered: forget it
   */
  recover(fullness: number, now: number): boolean {
    if (!this.#isStepOver(now)) return true;
    this.#perSecond *= 1 + STEP * Math.max(0, 1 - Math.max(fullness, fullnessOf(this.#accepted, this.#weight)));
    const isUsedUp = this.#isUsedUp;
    this.#beginStep(now - this.#steppedAt < 2 * STEP_MS ? this.#steppedAt + STEP_MS : now);
    return isUsedUp || this.#perSecond <= Math.max(this.#refusedRate, FIRST_FLOOR_PER_SECOND) * FORGOTTEN_ABOVE;
  }

  /** Whole sends that may start now. */
  available(now: number): number {
    this.#fill(now);
    if (this.#tokens < 1) this.#isUsedUp = true;
    return Math.floor(this.#tokens);
  }

  /** @returns false: not now */
  take(now: number): boolean {
    this.#fill(now);
    if (this.#tokens < 1) {
      this.#isUsedUp = true;
      return false;
    }
    this.#tokens -= 1;
    this.#taken += 1;
    return true;
  }

  #isStepOver(now: number): boolean {
    const ms = now - this.#steppedAt;
    if (ms < STEP_MS || this.#taken === 0 || ms >= LONGEST_STEP_MS) return ms >= STEP_MS;
    return this.#firstAnsweredAt !== undefined && now - this.#firstAnsweredAt >= SEEN_FOR_MS;
  }

  #beginStep(at: number): void {
    this.#steppedAt = at;
    this.#taken = 0;
    this.#firstAnsweredAt = undefined;
    this.#isUsedUp = false;
    this.#accepted = 0;
    this.#weight = 0;
  }

  #fill(now: number): void {
    const earned = ((now - this.#filledAt) / 1_000) * this.#perSecond;
    const most = Math.max(1, (this.#perSecond * BURST_MS) / 1_000);
    this.#tokens = Math.min(most, this.#tokens + Math.max(0, earned));
    this.#filledAt = now;
  }
}

function lowered(perSecond: number, acceptedPerSecond: number, floor: number): number {
  const right = Math.min(Math.max(acceptedPerSecond, perSecond * LOWERED_TO_AT_LEAST), perSecond * LOWERED_TO_AT_MOST);
  return Math.max(floor, right);
}
