import { AlignedInterval } from '../lifecycle/aligned-timer.js';
import type { Logger } from '../logging/logger.js';
import type { RedisClient } from './redis-connection.js';
import { askRights, type RightsProbe, type ToldRights } from './redis-rights.js';

const TICK_MS = 1_000;
/** From one look to the next, ms: while nothing is known to be missing, when Redis has refused something, and until all is there again. */
const PAUSE_MS = { well: 60_000, refused: 5_000, missing: 2_000 } as const;
/** What is still missing is logged again after this time, ms. */
const SAME_LACK_MS = 60_000;

export interface RightsWatchOptions {
  readonly redis: RedisClient;
  readonly probe: RightsProbe;
  /** REDIS_MIN_REPLICAS is above 0. */
  readonly waitsForReplicas: boolean;
  /** For the log. */
  readonly user: string;
  readonly logger: Pick<Logger, 'error' | 'info'>;
  /** For tests. */
  readonly wellPauseMs?: number;
}

/**
 * Finds out which right was taken away from a process that runs. Up to 7.0 Redis does not say which command of a script it has refused, so
 * those are tried again that a start tries: soon after Redis has refused something, and once a minute, since what nobody uses now is
 * missed later.
 */
export class RightsWatch {
  readonly #timer: AlignedInterval;
  #missing: ToldRights = new Map();
  /** A start has looked. What is refused right after it is looked at, too. */
  #lookedAt = performance.now() - PAUSE_MS.refused;
  #loggedAt = -Infinity;
  #isRefused = false;
  #isLooking = false;
  #isClosed = false;

  constructor(private readonly options: RightsWatchOptions) {
    this.#timer = new AlignedInterval(TICK_MS, () => this.#tick());
  }

  /** The rights that are known to be missing, by server: '' where there is one. Servers that lack nothing are not in it. */
  get missing(): ToldRights {
    return this.#missing;
  }

  /** Redis has refused something: it may be a right. */
  refused(): void {
    this.#isRefused = true;
    this.#tick();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.stop();
  }

  #tick(): void {
    const { wellPauseMs = PAUSE_MS.well } = this.options;
    const pauseMs = this.#missing.size > 0 ? PAUSE_MS.missing : this.#isRefused ? PAUSE_MS.refused : wellPauseMs;
    if (this.#isClosed || this.#isLooking || this.options.redis.status !== 'ready' || performance.now() - this.#lookedAt < pauseMs) return;
    this.#isRefused = false;
    this.#isLooking = true;
    void this.#look().finally(() => {
      this.#isLooking = false;
      this.#lookedAt = performance.now();
    });
  }

  async #look(): Promise<void> {
    const { redis, probe, waitsForReplicas } = this.options;
    const told = await askRights(redis, probe, waitsForReplicas);
    if (this.#isClosed) return;
    // Of a server that is silent now is known what it told before.
    const now = new Map([...this.#missing].filter(([server]) => !told.has(server)));
    for (const [server, rights] of told) if (rights.length > 0) now.set(server, rights);
    this.#log(this.#missing, now);
    this.#missing = now;
  }

  #log(before: ToldRights, now: ToldRights): void {
    const { logger, user } = this.options;
    if (now.size === 0) {
      if (before.size > 0) logger.info('redis gives our user every right again', { user });
      return;
    }
    const isKnown = JSON.stringify([...before]) === JSON.stringify([...now]);
    if (isKnown && performance.now() - this.#loggedAt < SAME_LACK_MS) return;
    this.#loggedAt = performance.now();
    for (const [server, rights] of now) logger.error('redis does not give our user a right that it needs', { user, server: server === '' ? undefined : server, cause: `may not use ${rights.join(', ')}: see ACL SETUSER` });
  }
}
