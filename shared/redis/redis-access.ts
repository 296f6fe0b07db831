import type { RedisConfig } from '../config/load.js';
import { AlignedInterval } from '../lifecycle/aligned-timer.js';
import { withinLimit } from '../lifecycle/time-limit.js';
import type { Logger } from '../logging/logger.js';
import { diagnoseRedis, type Diagnosis } from './diagnose-redis.js';
import { isCluster, type RedisClient } from './redis-connection.js';
import { refused } from './redis-fault.js';
import { faultOfMode } from './wrong-mode.js';
import { missingRights, type RightsProbe } from './redis-rights.js';

const LOOK_EVERY_MS = 500;
/** From one diagnosis to the next while no connection comes about, ms: at start, and after that. */
const DIAGNOSE_AT_START_MS = 1_000;
const DIAGNOSE_MS = 10_000;
/** How long a start waits to be told what the server is, ms. */
const MODE_WITHIN_MS = 3_000;
/** The same fault of the same server is logged again after this time, ms. */
const SAME_FAULT_MS = 60_000;

/** Redis does not let us in, and will not without a change of our settings, or of its own. */
export class RedisRefusedError extends Error {
  override readonly name = 'RedisRefusedError';

  constructor(faults: Diagnosis['faults']) {
    const [[server, fault] = ['', undefined]] = faults;
    const others = faults.size - 1;
    super(`redis ${server} ${fault?.text ?? ''}${others > 0 ? ` (and ${others} more)` : ''}`);
  }
}

/**
 * Says in one line what keeps us out of Redis: a certificate, a password, a right, or TLS on one side alone. It looks when a
 * connection does not become ready, or that to a node of a cluster ends, and ends a start that cannot succeed. With the first connection it asks for our rights. A process that was in once only logs: what
 * has changed may be changed back.
 */
export class RedisAccess {
  /** Resolves when we are in for the first time, with every right. @throws RedisRefusedError when that will never be */
  readonly admission: Promise<void>;
  readonly #timer: AlignedInterval;
  readonly #loggedAt = new Map<string, number>();
  #admit: () => void = () => undefined;
  #refuse: (error: RedisRefusedError) => void = () => undefined;
  #wasIn = false;
  #isClosed = false;
  #diagnosedAt = -Infinity;
  #diagnosing: Promise<void> | undefined;
  /** A node of a cluster has failed since the last diagnosis. The others may work: then the client is ready. */
  #hasNodeFailed = false;

  constructor(
    private readonly redis: RedisClient,
    private readonly config: RedisConfig,
    private readonly logger: Pick<Logger, 'error'>,
    probe: RightsProbe,
    /** REDIS_MIN_REPLICAS */
    private readonly minReplicas = 0,
  ) {
    this.admission = new Promise((resolve, reject) => {
      this.#admit = resolve;
      this.#refuse = reject;
    });
    // Its owner may not wait for it any more.
    this.admission.catch(() => undefined);
    this.#timer = new AlignedInterval(LOOK_EVERY_MS, () => this.#look());
    if (isCluster(redis)) {
      const onNode = (): void => {
        this.#hasNodeFailed = true;
      };
      redis.on('node error', onNode).on('-node', onNode);
    }
    redis.once('ready', () => {
      this.#wasIn = true;
      void this.#checkServer(probe);
    });
  }

  async #checkServer(probe: RightsProbe): Promise<void> {
    const { redis, config } = this;
    // A client of a cluster becomes ready with nodes of one alone.
    const fault = isCluster(redis) ? undefined : await withinLimit(faultOfMode(redis, probe.written), MODE_WITHIN_MS, () => new Error('no answer')).catch(() => undefined);
    if (fault === undefined) return this.#checkRights(probe);
    const server = config.mode === 'standalone' ? `${config.address.host}:${config.address.port}` : 'of the sentinels';
    if (!this.#isClosed) this.#refuse(new RedisRefusedError(new Map([[server, fault]])));
  }

  async #checkRights(probe: RightsProbe): Promise<void> {
    // What is not told now is told by the calls that are refused.
    const missing = await missingRights(this.redis, probe, this.minReplicas > 0);
    if (this.#isClosed) return;
    if (missing.size === 0) this.#admit();
    else this.#refuse(new RedisRefusedError(new Map([...missing].map(([server, rights]) =>
      [`user ${this.config.username ?? 'default'}${server === '' ? '' : ` at ${server}`}`, refused(`may not use ${rights.join(', ')}: see ACL SETUSER`)]))));
  }

  /** A start that waits for the first connection goes on, and meets a connection that is closed. */
  close(): void {
    this.#isClosed = true;
    this.#admit();
    this.#timer.stop();
  }

  #look(): void {
    const now = performance.now();
    if (this.redis.status === 'ready' && !this.#hasNodeFailed) {
      // One node of a cluster fails, is made anew, and fails again.
      if (!isCluster(this.redis) || now - this.#diagnosedAt > SAME_FAULT_MS) this.#loggedAt.clear();
      return;
    }
    const pauseMs = this.#wasIn ? DIAGNOSE_MS : DIAGNOSE_AT_START_MS;
    if (this.#diagnosing !== undefined || now - this.#diagnosedAt < pauseMs) return;
    this.#hasNodeFailed = false;
    this.#diagnosing = this.#diagnose().finally(() => {
      this.#diagnosing = undefined;
      this.#diagnosedAt = performance.now();
    });
  }

  async #diagnose(): Promise<void> {
    const { faults, isHopeless } = await diagnoseRedis(this.config);
    // It may have become ready meanwhile. That of a cluster is ready with one node.
    if (this.#isClosed || (this.redis.status === 'ready' && !isCluster(this.redis))) return;
    if (isHopeless && !this.#wasIn && this.redis.status !== 'ready') {
      this.#refuse(new RedisRefusedError(faults));
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
