import type { Logger } from '../logging/logger.js';
import { redisErrorCause } from './redis-error.js';

/** At most one line of one cause within this. */
const SAME_CAUSE_MS = 10_000;
/** Nothing was refused for so long, and something was taken: Redis works again. Else a refused key among good ones would end and begin an outage with each request. */
const QUIET_MS = 1_000;

/**
 * Says in the log what Redis refuses, in Redis' own words: callers are told a code only. One line when a cause comes up,
 * the same cause again after 10 s at the earliest, and one line when Redis takes writes again.
 */
export class RefusalLog {
  readonly #loggedAt = new Map<string, number>();
  #isRefusing = false;
  #lastRefusedAt = -Infinity;

  /** @param now monotonic milliseconds */
  constructor(
    private readonly logger: Pick<Logger, 'error' | 'info'>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  refused(error: unknown): void {
    const now = this.now();
    this.#lastRefusedAt = now;
    const cause = redisErrorCause(error);
    // By its first word: there are few of them, and what stands behind may name a key.
    const [code = ''] = cause.split(' ', 1);
    if (now - (this.#loggedAt.get(code) ?? -Infinity) < SAME_CAUSE_MS) return;
    this.#loggedAt.set(code, now);
    this.#isRefusing = true;
    this.logger.error('redis refuses', { cause });
  }

  /** To be called for what Redis has taken; costs nothing while nothing was refused. */
  accepted(): void {
    if (!this.#isRefusing || this.now() - this.#lastRefusedAt < QUIET_MS) return;
    this.#isRefusing = false;
    this.logger.info('redis takes writes again');
  }
}
