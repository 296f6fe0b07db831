/**
 * The rate limit of an access key: a bucket that holds what may be asked for in one second, at least one. All processes share the one in
 * Redis, and each has a part of it at hand, so that no request waits for Redis.
 *
 * It fills at 95 % of the limit. So no ten seconds have more than 105 % of it, although a key that was idle may use a whole second's
 * worth at once, and a key that always asks gets at least 95 %.
 */

/** The limit of one key. */
export interface RateLimit {
  readonly keyId: string;
  /** 0.001 to 1,000,000: tasks of submissions, and calls of other kinds. */
  readonly perSecond: number;
}

const FILLS_AT = 0.95;
/** A bucket that holds so much less than one counts as one: sums of parts are not exact. */
const ROUNDING = 1e-6;

/** What the shared bucket holds at most. */
export function capacityOf(perSecond: number): number {
  return Math.max(1, perSecond);
}

/** What the shared bucket gets in a millisecond. */
export function fillOf(perSecond: number): number {
  return (FILLS_AT * perSecond) / 1_000;
}

/**
 * What one process may take until it asks again. Of less than one each, every process may take one: the fraction is nothing that could be
 * taken, and the bucket is then short of it for a while.
 *
 * @param level     of the shared bucket; below zero when more was taken than was in it
 * @param processes that have used the key in the last second, this one among them
 */
export function shareOf(level: number, processes: number): number {
  return Math.max(level / processes, Math.min(level, 1));
}

/** What one process may take, between two answers of Redis. Times are monotonic milliseconds. */
export class KeyAllowance {
  #available: number;
  #at: number;
  #untold = 0;
  #processes = 1;

  constructor(
    readonly perSecond: number,
    now: number,
  ) {
    this.#available = capacityOf(perSecond);
    this.#at = now;
  }

  /** @returns whether there was one to take */
  take(now: number): boolean {
    this.#fill(now);
    if (this.#available < 1 - ROUNDING) return false;
    this.#available -= 1;
    this.#untold += 1;
    return true;
  }

  /** Whole ones that may be taken now. */
  left(now: number): number {
    this.#fill(now);
    return Math.max(0, Math.floor(this.#available + ROUNDING));
  }

  /** Time until there is one to take, ms; 0: there is. */
  waitMs(now: number): number {
    this.#fill(now);
    return Math.max(0, (1 - this.#available) / this.#fillPerMs);
  }

  /** What was taken since it was last asked this. It counts as told. */
  tell(): number {
    const told = this.#untold;
    this.#untold = 0;
    return told;
  }

  /** @param level of the shared bucket, without all that was told */
  learn(level: number, processes: number, now: number): void {
    this.#processes = Math.max(1, processes);
    this.#available = shareOf(level, this.#processes) - this.#untold;
    this.#at = now;
  }

  #fill(now: number): void {
    const most = Math.max(1, capacityOf(this.perSecond) / this.#processes);
    // What it has been given may be more than its own part: that stays.
    if (this.#available < most) this.#available = Math.min(most, this.#available + Math.max(0, now - this.#at) * this.#fillPerMs);
    this.#at = now;
  }

  get #fillPerMs(): number {
    return fillOf(this.perSecond) / this.#processes;
  }
}
