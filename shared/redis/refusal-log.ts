import type { Logger } from '../logging/logger.js';
import { redisErrorCause } from './redis-error.js';

/** At most one line about the same cause within this time. */
const SAME_CAUSE_MS = 10_000;
/**
 * Redis works again when it has refused nothing for this long, and has accepted something. Otherwise one refused key
 * among good ones would end and begin an outage with each request.
 */
const QUIET_MS = 1_000;

/**
 * Logs what Redis refuses, in Redis' own words: callers get only a code. It writes one line when a cause comes up, the
 * same cause again after 10 s at the earliest, and one line when Redis accepts writes again.
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
    // A cause is named by its first word: there are few of them, and the text behind it may contain a key.
    const [code = ''] = cause.split(' ', 1);
    if (now - (this.#loggedAt.get(code) ?? -Infinity) < SAME_CAUSE_MS) return;
    this.#loggedAt.set(code, now);
    this.#isRefusing = true;
    this.logger.error('redis refuses', { cause });
  }

  /** Call it for every write that Redis has accepted. It does nothing while nothing was refused. */
  accepted(): void {
    if (!this.#isRefusing || this.now() - this.#lastRefusedAt < QUIET_MS) return;
    this.#isRefusing = false;
    this.logger.info('redis takes writes again');
  }
}
