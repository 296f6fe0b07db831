import type { RedisConfig } from '../config/load.js';
import type { Logger } from '../logging/logger.js';
import { diagnoseRedis, type Diagnosis } from './diagnose-redis.js';
import type { RedisClient } from './redis-connection.js';

const LOOK_EVERY_MS = 500;
/** From one diagnosis to the next while no connection comes about, ms: at start, and after that. */
const DIAGNOSE_AT_START_MS = 1_000;
const DIAGNOSE_MS = 10_000;
/** The same fault of the same server is logged again after this time, ms. */
const SAME_FAULT_MS = 60_000;

/** Redis does not let us in, and will not without a change of our settings, or of its own. */
export class RedisRefusedError extends Error {
  override readonly name = 'RedisRefusedError';

  constructor({ faults }: Pick<Diagnosis, 'faults'>) {
    const [[server, fault] = ['', undefined]] = faults;
    const others = faults.size - 1;
    super(`redis ${server} ${fault?.text ?? ''}${others > 0 ? ` (and ${others} more)` : ''}`);
  }
}

/**
 * Says in one line what keeps us out of Redis: a certificate, a password, a right, or TLS on one side alone. It looks when a
 * connection does not become ready, and ends a start that cannot succeed. A process that was in once only logs: what
 * has changed may be changed back.
 */
export class RedisAccess {
  /** Never resolves; rejects with RedisRefusedError, before the first connection alone. */
  readonly refusal: Promise<never>;
  readonly #timer: NodeJS.Timeout;
  readonly #loggedAt = new Map<string, number>();
  #refuse: (error: RedisRefusedError) => void = () => undefined;
  #wasIn = false;
  #isClosed = false;
  #diagnosedAt = -Infinity;
  #diagnosing: Promise<void> | undefined;

  constructor(
    private readonly redis: RedisClient,
    private readonly config: RedisConfig,
    private readonly logger: Pick<Logger, 'error'>,
  ) {
    this.refusal = new Promise((_, reject) => {
      this.#refuse = reject;
    });
    // Its owner may not wait for it any more.
    this.refusal.catch(() => undefined);
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    redis.once('ready', () => {
      this.#wasIn = true;
    });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.redis.status === 'ready') {
      this.#loggedAt.clear();
      return;
    }
    const pauseMs = this.#wasIn ? DIAGNOSE_MS : DIAGNOSE_AT_START_MS;
    if (this.#diagnosing !== undefined || performance.now() - this.#diagnosedAt < pauseMs) return;
    this.#diagnosing = this.#diagnose().finally(() => {
      this.#diagnosing = undefined;
      this.#diagnosedAt = performance.now();
    });
  }

  async #diagnose(): Promise<void> {
    const { faults, isHopeless } = await diagnoseRedis(this.config);
    // It may have become ready meanwhile.
    if (this.#isClosed || this.redis.status === 'ready') return;
    if (isHopeless && !this.#wasIn) {
      this.#refuse(new RedisRefusedError({ faults }));
      return;
    }
    const now = performance.now();
    for (const [server, { text }] of faults) {
      if (now - (this.#loggedAt.get(`${server} ${text}`) ?? -Infinity) < SAME_FAULT_MS) continue;
      this.#loggedAt.set(`${server} ${text}`, now);
      this.logger.error('redis does not let us in', { server, cause: text });
    }
  }
}
