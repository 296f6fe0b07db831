import type { RedisConfig } from '../config/config.js';
import { AlignedInterval } from '../lifecycle/aligned-timer.js';
import { withinLimit } from '../lifecycle/time-limit.js';
import type { Logger } from '../logging/logger.js';
import { diagnoseRedis, type Diagnosis } from './diagnose-redis.js';
import { isCluster, type RedisClient } from './redis-connection.js';
import { refused } from './redis-fault.js';
import { masterOf, serverName } from './redis-masters.js';
import { ReplicaWatch } from './replica-watch.js';
import { RightsWatch } from './rights-watch.js';
import { faultOfMode } from './wrong-mode.js';
import { missingRights, takesNoTasks, type RightsProbe, type ToldRights } from './redis-rights.js';

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
 * connection does not become ready, when that to a node of a cluster or another one of this process ends, and ends a start that cannot succeed. With the first connection it asks for our rights. A process that was in once only logs: what
 * has changed may be changed back. It knows what Redis refuses now.
 */
export class RedisAccess {
  /** Resolves when we are in for the first time, with every right. @throws RedisRefusedError when that will never be */
  readonly admission: Promise<void>;
  readonly #timer: AlignedInterval;
  readonly #loggedAt = new Map<string, number>();
  /** Of the faults of another connection. Kept while the first one is ready: the other is refused again and again meanwhile. */
  readonly #partLoggedAt = new Map<string, number>();
  /** Kept while the connection is ready: one to a replica is, again and again. */
  readonly #replicaLoggedAt = new Map<string, number>();
  #admit: () => void = () => undefined;
  #refuse: (error: RedisRefusedError) => void = () => undefined;
  #wasIn = false;
  #isClosed = false;
  #diagnosedAt = -Infinity;
  #diagnosing: Promise<void> | undefined;
  /** A node of a cluster, or another connection of this process, has failed since the last diagnosis. The rest may work: then the client is ready. */
  #hasPartFailed = false;
  /** What the last diagnosis has found, while no connection is ready. */
  #keptOut: Diagnosis | undefined;
  #rights: RightsWatch | undefined;
  readonly #replica: ReplicaWatch | undefined;

  constructor(
    private readonly redis: RedisClient,
    private readonly config: RedisConfig,
    private readonly logger: Pick<Logger, 'error' | 'info'>,
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
        this.#hasPartFailed = true;
      };
      redis.on('node error', onNode).on('-node', onNode);
    }
    this.#replica = isCluster(redis) ? undefined : new ReplicaWatch(redis, (cause) => this.#logOnce('redis is a replica', this.#serverOf(config), cause, this.#replicaLoggedAt));
    redis.on('ready', () => {
      this.#keptOut = undefined;
      this.#replica?.look();
      if (this.#wasIn) return;
      this.#wasIn = true;
      void this.#checkServer(probe);
    });
  }

  /** Why nothing can be asked of Redis now, although it is there. undefined: it lets us in, or is away. */
  get keptOut(): string | undefined {
    const { faults } = (this.redis.status === 'ready' ? undefined : this.#keptOut) ?? {};
    return faults === undefined || faults.size === 0 ? undefined : new RedisRefusedError(faults).message;
  }

  /** Rights that are missing, in words: `user retry-service may not use ZADD`. undefined: none that is known. */
  get lacks(): string | undefined {
    const missing = this.#rights?.missing;
    return missing === undefined || missing.size === 0 ? undefined : this.#errorOf(missing).message;
  }

  /** What every call is refused with now, since an operator has to act. undefined: it is not, or Redis is away. */
  get refusal(): RedisRefusedError | undefined {
    if (this.redis.status !== 'ready') return this.#keptOut?.isHopeless === true ? new RedisRefusedError(this.#keptOut.faults) : undefined;
    const ofReplica = this.#replica?.fault;
    return ofReplica === undefined ? undefined : new RedisRefusedError(new Map([[this.#serverOf(this.config), refused(ofReplica)]]));
  }

  /** @returns why no task is taken at the master that has the key: a right is missing there. undefined: none that is known */
  lackFor(key: string): RedisRefusedError | undefined {
    const missing = this.#rights?.missing;
    if (missing === undefined || missing.size === 0) return undefined;
    const node = masterOf(this.redis, key);
    const server = isCluster(this.redis) ? node && serverName(node) : '';
    const rights = server === undefined ? undefined : missing.get(server);
    return server === undefined || rights === undefined || !takesNoTasks(rights) ? undefined : this.#errorOf(new Map([[server, rights]]));
  }

  /** Redis has refused something: a right may be missing. */
  refused(): void {
    this.#rights?.refused();
  }

  /** Another connection of this process has failed. Redis may take no more of them, and says so only to the next one. */
  connectionFailed(): void {
    this.#hasPartFailed = true;
  }

  async #checkServer(probe: RightsProbe): Promise<void> {
    const { redis, config } = this;
    // A client of a cluster becomes ready with nodes of one alone.
    const fault = isCluster(redis) ? undefined : await withinLimit(faultOfMode(redis, probe.written), MODE_WITHIN_MS, () => new Error('no answer')).catch(() => undefined);
    if (fault === undefined) return this.#checkRights(probe);
    if (!this.#isClosed) this.#refuse(new RedisRefusedError(new Map([[this.#serverOf(config), fault]])));
  }

  async #checkRights(probe: RightsProbe): Promise<void> {
    // What is not told now is told later.
    const waitsForReplicas = this.minReplicas > 0;
    const missing = await missingRights(this.redis, probe, waitsForReplicas);
    if (this.#isClosed) return;
    if (missing.size > 0) {
      this.#refuse(this.#errorOf(missing));
      return;
    }
    this.#rights = new RightsWatch({ redis: this.redis, probe, waitsForReplicas, user: this.#user, logger: this.logger });
    this.#admit();
  }

  get #user(): string {
    return this.config.username ?? 'default';
  }

  #errorOf(missing: ToldRights): RedisRefusedError {
    return new RedisRefusedError(new Map([...missing].map(([server, rights]) =>
      [`user ${this.#user}${server === '' ? '' : ` at ${server}`}`, refused(`may not use ${rights.join(', ')}: see ACL SETUSER`)])));
  }

  #serverOf(config: RedisConfig): string {
    return config.mode === 'standalone' ? `${config.address.host}:${config.address.port}` : 'of the sentinels';
  }

  /** A start that waits for the first connection goes on, and meets a connection that is closed. */
  close(): void {
    this.#isClosed = true;
    this.#admit();
    this.#timer.stop();
    this.#rights?.close();
    this.#replica?.close();
  }

  #look(): void {
    const now = performance.now();
    if (this.redis.status === 'ready' && !this.#hasPartFailed) {
      // One node of a cluster fails, is made anew, and fails again.
      if (!isCluster(this.redis) || now - this.#diagnosedAt > SAME_FAULT_MS) this.#loggedAt.clear();
      return;
    }
    const pauseMs = this.#wasIn ? DIAGNOSE_MS : DIAGNOSE_AT_START_MS;
    if (this.#diagnosing !== undefined || now - this.#diagnosedAt < pauseMs) return;
    const isOfPart = this.#hasPartFailed;
    this.#hasPartFailed = false;
    this.#diagnosing = this.#diagnose(isOfPart).finally(() => {
      this.#diagnosing = undefined;
      this.#diagnosedAt = performance.now();
    });
  }

  async #diagnose(isOfPart: boolean): Promise<void> {
    const diagnosis = await diagnoseRedis(this.config);
    const { faults, isHopeless } = diagnosis;
    // It may have become ready meanwhile. That of a cluster is ready with one node.
    if (this.#isClosed || (this.redis.status === 'ready' && !isCluster(this.redis) && !isOfPart)) return;
    if (this.redis.status !== 'ready') this.#keptOut = diagnosis;
    if (isHopeless && !this.#wasIn && this.redis.status !== 'ready') {
      this.#refuse(new RedisRefusedError(faults));
      return;
    }
    const loggedAt = isOfPart && !isCluster(this.redis) && this.redis.status === 'ready' ? this.#partLoggedAt : this.#loggedAt;
    for (const [server, { text }] of faults) this.#logOnce('redis does not let us in', server, text, loggedAt);
  }

  #logOnce(message: string, server: string, cause: string, loggedAt = this.#loggedAt): void {
    const now = performance.now();
    if (now - (loggedAt.get(`${server} ${cause}`) ?? -Infinity) < SAME_FAULT_MS) return;
    loggedAt.set(`${server} ${cause}`, now);
    this.logger.error(message, { server, cause });
  }
}
