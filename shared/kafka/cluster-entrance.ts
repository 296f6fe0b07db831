import { classifyKafkaError } from './classify-error.js';
import type { KafkaCluster } from './cluster-identity.js';
import { TopicConnection } from './topic-connection.js';
import type { ConnectionSettings } from './topic-connection.js';

/**
 * The way into one cluster. Tries its bootstrap brokers in turn, beginning with the one that worked last, and lets
 * one connect go ahead of all others: when the cluster is dead, the sends that came meanwhile share this one failure
 * instead of opening sockets too.
 */
export class ClusterEntrance {
  readonly #cluster: KafkaCluster;
  readonly #settings: ConnectionSettings;
  #goingAhead: Promise<TopicConnection> | undefined;
  /** Index into bootstrap. kafkajs would begin with the first one each time, dead or not. */
  #preferred = 0;

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
    const { bootstrap } = this.#cluster;
    const startedAt = performance.now();
    let lastError: unknown;
    for (let tried = 0; tried < bootstrap.length; tried += 1) {
      const leftMs = Math.floor(this.#settings.sendTimeoutMs - (performance.now() - startedAt));
      if (tried > 0 && leftMs <= 0) break;
      const index = this.#preferred;
      try {
        return await this.#connectTo(index, topic, Math.min(leftMs, this.#settings.connectTimeoutMs), signal);
      } catch (error) {
        lastError = error;
        // The same credentials would be refused by the next broker too.
        if (signal.aborted || classifyKafkaError(error).code === 'broker_authentication_failed') break;
        // Another caller may have moved on to the next broker already.
        if (this.#preferred === index) this.#preferred = (index + 1) % bootstrap.length;
      }
    }
    throw lastError;
  }

  async #connectTo(index: number, topic: string, connectTimeoutMs: number, signal: AbortSignal): Promise<TopicConnection> {
    const address = this.#cluster.bootstrap[index];
    if (address === undefined) throw new RangeError(`cluster ${this.#cluster.name} has no bootstrap broker ${index}`);
    signal.throwIfAborted();
    const connection = new TopicConnection(this.#cluster, address, topic, { ...this.#settings, connectTimeoutMs });
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
