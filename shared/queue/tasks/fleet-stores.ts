import { defaultPathMask } from '../../domain/destinations/path-mask.js';
import { hiddenName } from '../../domain/destinations/http.js';
import { RequestError } from '../../domain/errors.js';
import { isCluster } from '../../redis/redis-connection.js';
import { KeyStore } from '../access/key-store.js';
import { RateStore } from '../access/rate-store.js';
import { SessionStore } from '../access/session-store.js';
import { VersionMarks } from '../access/version-marks.js';
import { CredentialStore } from '../credentials/credential-store.js';
import { TokenStore } from '../credentials/token-store.js';
import type { Part, ShardHealth } from '../engine/shard-health.js';
import type { Shard, Shards } from '../engine/shard.js';
import { FlowStore } from '../flow/flow-store.js';
import { ReportGap } from '../flow/report-gap.js';
import { accessKeys, credentialKeys, FLEET, flowKeys, statsKeys, testSendKeys, versionMarkKeys, type VersionMarkKeys } from '../fleet-keys.js';
import { ActivityStore } from '../stats/activity-store.js';
import { FailureStore } from '../stats/failure-store.js';
import { TestSendStore } from '../test-sends/test-send-store.js';
import { isOfRedis } from './errors-for-callers.js';
import type { QueueCalls } from './queue-calls.js';
import type { TaskQueueOptions } from './task-queue-options.js';

export interface FleetStoresParts {
  readonly shards: Shards;
  readonly health: ShardHealth;
  readonly calls: QueueCalls;
}

/**
 * The doors to what stands once for the whole fleet, and not in each shard. `with...` is one call of the API, and throws as every call of TaskQueue.
 * `...Store` hands out the store, whose methods fail as Redis does.
 */
export class FleetStores {
  readonly #reportGap = new ReportGap();
  /** They are looked for once: it takes half a millisecond. */
  #markKeys: readonly VersionMarkKeys[] | undefined;
  /** Before Redis has answered once, nothing is known of a gap: a start has to say at once that no worker runs. */
  #wasOpen = false;
  readonly #onDisconnected = (): void => { if (this.#wasOpen) this.#reportGap.seen(); };

  constructor(
    private readonly options: Pick<TaskQueueOptions, 'redis' | 'prefix' | 'mask'>,
    private readonly parts: FleetStoresParts,
  ) {
    // While it cannot connect, each try ends with this. On a cluster the part with the reports may be away alone: see `part`.
    options.redis.on('close', this.#onDisconnected);
  }

  /** Redis has answered once. */
  opened(): void {
    this.#wasOpen = true;
  }

  /** It is watched on a cluster, where it may be away alone. */
  get part(): Part {
    const { redis, prefix } = this.options;
    const { controls } = flowKeys(prefix, isCluster(redis));
    return { name: FLEET, ask: () => redis.exists(controls), onAway: () => this.#reportGap.seen() };
  }

  /** Lets go of the connection, which stays open. */
  close(): void {
    this.options.redis.off('close', this.#onDisconnected);
  }

  /** What the fleet did lately, for the API. */
  async withActivity<T>(work: (store: ActivityStore) => Promise<T>): Promise<T> {
    return this.parts.calls.speakToFleet(() => work(this.activityStore()));
  }

  /** @throws RequestError redis_unavailable while Redis has not answered yet */
  activityStore(): ActivityStore {
    return this.#store(ActivityStore, statsKeys);
  }

  /** The access keys, for the API. */
  async withKeys<T>(work: (store: KeyStore) => Promise<T>): Promise<T> {
    return this.parts.calls.speakToFleet(() => work(this.#store(KeyStore, accessKeys)));
  }

  /**
   * What the other parts of Redis were told of the access keys, which may be away alone; undefined where they cannot.
   * @throws RequestError redis_unavailable while Redis has not answered yet
   */
  keyMarks(): VersionMarks | undefined {
    return this.#marksOf('accessVersion');
  }

  /** The same of sessions that have ended. @throws as keyMarks */
  sessionMarks(): VersionMarks | undefined {
    return this.#marksOf('sessionVersion');
  }

  /** The sessions of people at browsers, for the API. */
  async withSessions<T>(work: (store: SessionStore) => Promise<T>): Promise<T> {
    return this.parts.calls.speakToFleet(() => work(this.#store(SessionStore, accessKeys)));
  }

  /** The rate limits of access keys, for the API. */
  async withRates<T>(work: (store: RateStore) => Promise<T>): Promise<T> {
    return this.parts.calls.speakToFleet(() => work(this.#store(RateStore, accessKeys)));
  }

  /** The credentials of destinations, for the API. */
  async withCredentials<T>(work: (store: CredentialStore) => Promise<T>): Promise<T> {
    return this.parts.calls.speakToFleet(() => work(this.credentialStore()));
  }

  /** @throws RequestError redis_unavailable while Redis has not answered yet */
  credentialStore(): CredentialStore {
    return this.#store(CredentialStore, credentialKeys);
  }

  /** The tokens that the fleet shares. @throws RequestError redis_unavailable while Redis has not answered yet */
  tokenStore(): TokenStore {
    return this.#store(TokenStore, credentialKeys);
  }

  /** Test sends, for the API. */
  async withTestSends<T>(work: (store: TestSendStore) => Promise<T>): Promise<T> {
    return this.parts.calls.speakToFleet(() => work(this.testSendStore()));
  }

  /** @throws RequestError redis_unavailable while Redis has not answered yet */
  testSendStore(): TestSendStore {
    return this.#store(TestSendStore, testSendKeys);
  }

  /** Which sends failed lately, for the API. */
  async withFailures<T>(work: (store: FailureStore) => Promise<T>): Promise<T> {
    this.parts.calls.mustAnswer(FLEET);
    return this.parts.calls.speakLong(() => work(this.failureStore()));
  }

  /** @throws RequestError redis_unavailable while Redis has not answered yet */
  failureStore(): FailureStore {
    return this.#store(FailureStore, statsKeys);
  }

  /** Limits, circuits and the reports of the workers, for the API. */
  async withFlow<T>(work: (store: FlowStore) => Promise<T>): Promise<T> {
    try {
      return await this.parts.calls.speakToFleet(() => work(this.flowStore()));
    } catch (error) {
      // What cannot be read cannot be written either.
      if (this.#wasOpen && isOfRedis(error)) this.#reportGap.seen();
      throw error;
    }
  }

  /** The same for an answer that can do without: undefined when Redis does not tell. On a cluster it takes 0.5 s at most. */
  async flowIfThere<T>(work: (store: FlowStore) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.parts.health.orNothing(FLEET, () => this.withFlow(work));
    } catch (error) {
      if (error instanceof RequestError) return undefined; // its cause is in the log: see redis-watch.ts and refusal-log.ts
      throw error;
    }
  }

  /** @throws RequestError redis_unavailable while Redis has not answered yet */
  flowStore(): FlowStore {
    const { redis, prefix, mask = defaultPathMask } = this.options;
    return new FlowStore(this.parts.shards.get(0).client, flowKeys(prefix, isCluster(redis)), (name) => hiddenName(name, mask), this.#reportGap);
  }

  #store<T, K>(Store: new (client: Shard['client'], keys: K) => T, keysOf: (prefix: string, isCluster: boolean) => K): T {
    const { redis, prefix } = this.options;
    return new Store(this.parts.shards.get(0).client, keysOf(prefix, isCluster(redis)));
  }

  #marksOf(version: keyof VersionMarkKeys): VersionMarks | undefined {
    const { redis, prefix } = this.options;
    if (!isCluster(redis)) return undefined;
    this.#markKeys ??= versionMarkKeys(prefix);
    return new VersionMarks(this.parts.shards.get(0).client, this.#markKeys.map((keys) => keys[version]));
  }
}
