/** No time service moves a clock faster than by this share while it corrects it (500 ppm). */
const DRIFT = 0.0005;
/** Our scripts tell the time in whole milliseconds, rounded down. */
const ROUNDED_BY_MS = 1;

/**
 * The time of Redis' clock, estimated without asking it each time. Every process of the fleet goes by this one clock. The
 * time of day of a machine is set now and then, by an hour or backwards, and a worker that went by it would write down a
 * retry as due an hour too late. So only the monotonic clock of the process is read, and Redis says now and then how far
 * its own clock is ahead of that.
 *
 * Redis reads its clock between the question and its answer. So each answer says between which two values the difference
 * lies, and several answers together say it more exactly. The estimate is the lower of the two: it is never ahead of
 * Redis, so nothing is sent early. An answer that was read late, after a long turn of the event loop, changes nothing. An
 * answer that contradicts the earlier ones means that Redis' clock was set, or that another master answers: it counts
 * alone.
 */
export class RedisClock {
  /** Redis' time minus the monotonic time lies between these two, ms. */
  #lowest: number;
  #highest: number;
  #learntAt = -Infinity;

  /**
   * @param startMs   what counts until Redis has told its time, ms since the epoch
   * @param monotonic milliseconds
   */
  constructor(
    startMs: number,
    private readonly monotonic: () => number = () => performance.now(),
  ) {
    this.#lowest = startMs - monotonic();
    this.#highest = this.#lowest;
  }

  /** Whole milliseconds since the epoch. */
  now(): number {
    return Math.floor(this.monotonic() + this.#lowest);
  }

  /**
   * By how much Redis' clock may be ahead of `now`, whole milliseconds. The estimate becomes better with each answer, so it
   * may run faster than time does. A wait that begins at `now` and must not be too short is longer by this.
   */
  doubtMs(): number {
    return Math.ceil(this.#highest - this.#lowest + ROUNDED_BY_MS);
  }

  /**
   * To be called as soon as Redis has told its time.
   * @param redisMs milliseconds since the epoch, rounded down
   * @param askedAt when the question was sent, monotonic milliseconds
   */
  learn(redisMs: number, askedAt: number): void {
    const answeredAt = this.monotonic();
    const lowest = redisMs - answeredAt;
    const highest = redisMs + ROUNDED_BY_MS - askedAt;
    // It is infinite for the first answer, so what was assumed before is forgotten.
    const driftMs = (answeredAt - this.#learntAt) * DRIFT;
    const knownLowest = this.#lowest - driftMs;
    const knownHighest = this.#highest + driftMs;
    const agrees = lowest <= knownHighest && highest >= knownLowest;
    this.#lowest = agrees ? Math.max(lowest, knownLowest) : lowest;
    this.#highest = agrees ? Math.min(highest, knownHighest) : highest;
    this.#learntAt = answeredAt;
  }
}
