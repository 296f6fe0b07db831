import type { Logger } from '../logging/logger.js';
import { redisErrorCause } from './redis-error.js';

/** At most one line about the same cause within this time, as long as Redis refuses. */
const SAME_CAUSE_MS = 10_000;
/** Redis works again when it has refused nothing for this long, and has accepted something. */
const FIRST_QUIET_MS = 1_000;
/** Causes that are told apart. A text of Redis may contain a name that a caller has chosen. */
const MAX_CAUSES = 20;

/**
 * Logs what Redis refuses, in Redis' own words: callers get only a code. It writes one line when Redis begins to refuse
 * and when a new cause comes up, the same cause again after 10 s at the earliest, and one line when Redis accepts writes
 * again.
 *
 * One refused key among good ones would begin and end an outage with each request. So after an outage that begins again
 * within 10 s, the quiet time that ends it doubles, up to 10 s.
 */
export class RefusalLog {
  readonly #loggedAt = new Map<string, number>();
  #isRefusing = false;
  #lastRefusedAt = -Infinity;
  #endedAt = -Infinity;
  #quietMs = FIRST_QUIET_MS;

  /**
   * @param onRefused called with each refusal, so that what is behind it can be found out
   * @param now       monotonic milliseconds
   */
  constructor(
    private readonly logger: Pick<Logger, 'error' | 'info'>,
    private readonly onRefused: () => void = () => undefined,
    private readonly now: () => number = () => performance.now(),
  ) {}

  refused(error: unknown): void {
    const now = this.now();
    this.onRefused();
    this.#lastRefusedAt = now;
    if (!this.#isRefusing) this.#begin(now);
    const cause = redisErrorCause(error);
    if (now - (this.#loggedAt.get(cause) ?? -Infinity) < SAME_CAUSE_MS) return;
    if (this.#loggedAt.size >= MAX_CAUSES) this.#loggedAt.clear();
    this.#loggedAt.set(cause, now);
    this.logger.error('redis refuses', { cause });
  }

  /** Call it for every write that Redis has accepted. It does nothing while nothing was refused. */
  accepted(): void {
    if (!this.#isRefusing || this.now() - this.#lastRefusedAt < this.#quietMs) return;
    this.#isRefusing = false;
    this.#endedAt = this.now();
    this.logger.info('redis takes writes again');
  }

  /** The line that said "again" is not true any more, so each cause is logged anew. */
  #begin(now: number): void {
    this.#isRefusing = true;
    this.#loggedAt.clear();
    this.#quietMs = now - this.#endedAt < SAME_CAUSE_MS ? Math.min(this.#quietMs * 2, SAME_CAUSE_MS) : FIRST_QUIET_MS;
  }
}
