import { brokerName } from '../domain/destinations/broker-name.js';
import { classifyKafkaError } from './classify-error.js';
import type { BrokerAddress, KafkaCluster } from './cluster-identity.js';
import { TopicConnection } from './topic-connection.js';
import type { ConnectionSettings } from './topic-connection.js';

/** How many of the brokers that the cluster has named are tried when no bootstrap broker lets us in. */
const MOST_NAMED_TRIED = 3;
/** For how long such a broker is tried first, ms. Then the bootstrap brokers are asked again: they say which cluster is meant. */
const DETOUR_FOR_MS = 30_000;

/**
 * The way into one cluster. Tries its bootstrap brokers in turn, beginning with the one that worked last, and lets
 * one connect go ahead of all others: when the cluster is dead, the sends that came meanwhile share this one failure
 * instead of opening sockets too.
 *
 * When none of them lets us in, it tries brokers that the cluster has named earlier: a destination often names one broker of
 * several, and that one may be the only one that is down.
 */
export class ClusterEntrance {
  readonly #cluster: KafkaCluster;
  readonly #settings: ConnectionSettings;
  #goingAhead: Promise<TopicConnection> | undefined;
  /** Index into bootstrap. kafkajs would begin with the first one each time, dead or not. */
  #preferred = 0;
  /** What the cluster has named last. */
  #named: readonly BrokerAddress[] = [];
  /** A named broker that has let us in when no bootstrap broker did; `until` in monotonic ms. */
  #detour: { readonly broker: BrokerAddress; readonly until: number } | undefined;

  constructor(cluster: KafkaCluster, settings: ConnectionSettings) {
    this.#cluster = cluster;
    this.#settings = settings;
  }

  /**
   * @param signal aborts when the connection is no longer wanted
   * @returns a connection that works, for its new owner to close
   * @throws  what classifyKafkaError knows, after at most sendTimeoutMs (twice that for a caller that had to wait first)
   */
  async connect(topic: string, signal: AbortSignal): Promise<TopicConnection> {
    if (this.#goingAhead !== undefined) {
      await this.#goingAhead;
      return this.#connectToAny(topic, signal);
    }
    this.#goingAhead = this.#connectToAny(topic, signal);
    try {
      return await this.#goingAhead;
    } finally {
      this.#goingAhead = undefined;
    }
  }

  async #connectToAny(topic: string, signal: AbortSignal): Promise<TopicConnection> {
    const { sendTimeoutMs, connectTimeoutMs } = this.#settings;
    const endsAt = performance.now() + sendTimeoutMs;
    const limitMs = (): number => Math.min(Math.floor(endsAt - performance.now()), connectTimeoutMs);
    const detour = this.#detour;
    if (detour !== undefined && detour.until > performance.now()) {
      const connection = await this.#tryNamed(detour.broker, topic, limitMs(), signal);
      if (connection !== undefined) return connection;
    }
    try {
      return await this.#connectToBootstrap(topic, limitMs, signal);
    } catch (error) {
      for (const broker of this.#namedBesideBootstrap()) {
        if (signal.aborted || limitMs() <= 0 || isLoginRefused(error)) break;
        const connection = await this.#tryNamed(broker, topic, limitMs(), signal);
        if (connection === undefined) continue;
        this.#detour = { broker, until: performance.now() + DETOUR_FOR_MS };
        return connection;
      }
      throw error;
    }
  }

  /** @param limitMs what is left for one broker; 0 or less: nothing */
  async #connectToBootstrap(topic: string, limitMs: () => number, signal: AbortSignal): Promise<TopicConnection> {
    const { bootstrap } = this.#cluster;
    let lastError: unknown;
    for (let tried = 0; tried < bootstrap.length; tried += 1) {
      const leftMs = limitMs();
      if (tried > 0 && leftMs <= 0) break;
      const index = this.#preferred;
      try {
        return await this.#connectTo(bootstrap[index], topic, leftMs, signal);
      } catch (error) {
        lastError = error;
        // The same credentials would be refused by the next broker too.
        if (signal.aborted || isLoginRefused(error)) break;
        // Another caller may have moved on to the next broker already.
        if (this.#preferred === index) this.#preferred = (index + 1) % bootstrap.length;
      }
    }
    throw lastError;
  }

  /** @returns undefined: it does not let us in. That is no news: it was named long ago, and the bootstrap brokers count */
  async #tryNamed(broker: BrokerAddress, topic: string, connectTimeoutMs: number, signal: AbortSignal): Promise<TopicConnection | undefined> {
    try {
      return await this.#connectTo(broker, topic, connectTimeoutMs, signal);
    } catch {
      if (this.#detour?.broker === broker) this.#detour = undefined;
      return undefined;
    }
  }

  #namedBesideBootstrap(): BrokerAddress[] {
    const bootstrap = new Set(this.#cluster.bootstrap.map(brokerName));
    return this.#named.filter((broker) => !bootstrap.has(brokerName(broker))).slice(0, MOST_NAMED_TRIED);
  }

  async #connectTo(address: BrokerAddress | undefined, topic: string, connectTimeoutMs: number, signal: AbortSignal): Promise<TopicConnection> {
    if (address === undefined) throw new RangeError(`cluster ${this.#cluster.name} has no bootstrap broker`);
    signal.throwIfAborted();
    const connection = new TopicConnection(this.#cluster, address, topic, { ...this.#settings, connectTimeoutMs, onBrokers: (brokers) => { this.#named = brokers; } });
    const giveUp = (): void => { void connection.close(); };
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await connection.connect();
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }
}

function isLoginRefused(error: unknown): boolean {
  const { code } = classifyKafkaError(error);
  return code === 'broker_authentication_failed' || code === 'broker_login_unsupported';
}
