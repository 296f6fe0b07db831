import kafkajs from 'kafkajs';
import type { PartitionMetadata, Producer, SASLOptions } from 'kafkajs';

import { BrokerSockets } from './broker-sockets.js';
import { NoAnswerInTime, PartitionGone } from './classify-error.js';
import type { BrokerAddress, KafkaCluster, KafkaCredentials } from './cluster-identity.js';
import { toKafkajsLogging } from './kafkajs-log.js';
import type { KafkaLog } from './kafkajs-log.js';
import { withinLimit } from './time-limit.js';
import type { TopicMessage } from './topic-message.js';

export interface ConnectionSettings {
  /** Connect, version exchange, TLS and SASL of one bootstrap broker together, in whole milliseconds. */
  readonly connectTimeoutMs: number;
  /** From the moment a batch is handed to kafkajs until the broker has acknowledged it, in whole milliseconds. */
  readonly sendTimeoutMs: number;
  readonly log?: KafkaLog | undefined;
}

/** How long a polite goodbye may take before the sockets are cut, in milliseconds: nothing is lost by cutting. */
const goodbyeLimitMs = 100;

/**
 * One kafkajs producer for one topic: the only file that sends with kafkajs.
 *
 * Why a producer per topic, and not one per cluster: kafkajs asks for the metadata of all topics it has ever sent to
 * at once, and takes the first error as the answer for all. One deleted topic (#1622), one partition without a leader,
 * and nothing can be sent to any topic of that cluster. The price is a connection per topic and broker.
 *
 * It never reconnects after trouble: its owner throws it away and makes another, since a fresh one has no stale
 * metadata, no seed broker that has died and no lock that another caller still holds.
 */
export class TopicConnection {
  readonly #topic: string;
  readonly #settings: ConnectionSettings;
  readonly #sockets: BrokerSockets;
  readonly #producer: Producer;
  readonly #choosePartition = kafkajs.Partitioners.DefaultPartitioner();
  #partitions: PartitionMetadata[] = [];
  #batchesInFlight = 0;
  #onRetired: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(cluster: KafkaCluster, bootstrap: BrokerAddress, topic: string, settings: ConnectionSettings) {
    this.#topic = topic;
    this.#settings = settings;
    this.#sockets = new BrokerSockets(bootstrap);
    const { logLevel, logCreator } = toKafkajsLogging((entry) => {
      // Errors of kafkajs about sockets that we cut ourselves are expected.
      if (this.#closing === undefined) settings.log?.(entry);
    });
    const kafka = new kafkajs.Kafka({
      clientId: 'kafka-retry-service',
      brokers: [this.#sockets.bootstrapName],
      ...(cluster.credentials !== undefined && { sasl: toSaslOptions(cluster.credentials) }),
      ssl: cluster.tls,
      socketFactory: this.#sockets.open,
      connectionTimeout: settings.connectTimeoutMs,
      requestTimeout: settings.sendTimeoutMs,
      // kafkajs's default of 5 retries makes a dead broker answer after 17 s, and a frozen one after 28 s.
      retry: { retries: 0 },
      logLevel,
      logCreator,
    });
    this.#producer = kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: () => ({ partitionMetadata, message }) => {
        // The only place where kafkajs shows a topic's partitions.
        this.#partitions = partitionMetadata;
        return message.partition ?? noPartition;
      },
    });
  }

  /** @throws what classifyKafkaError knows */
  async connect(): Promise<void> {
    const { connectTimeoutMs } = this.#settings;
    await withinLimit(this.#producer.connect(), connectTimeoutMs, () => new NoAnswerInTime('connect', connectTimeoutMs));
  }

  get knowsPartitions(): boolean {
    return this.#partitions.length > 0;
  }

  /**
   * Asks how many partitions the topic has. kafkajs tells only its partitioner, so a message is sent to partition -1:
   * kafkajs looks up the topic, finds no leader for -1, and sends nothing to anyone.
   */
  async learnPartitions(): Promise<void> {
    await this.#send([{ value: null, partition: noPartition }]);
  }

  /** The partition Kafka's own Java producer would choose for the key (murmur2). Only once the partitions are known. */
  partitionOf(key: Buffer): number {
    // Whatever the hash.
    if (this.#partitions.length === 1) return 0;
    return this.#choosePartition({ topic: this.#topic, partitionMetadata: this.#partitions, message: { key, value: null } });
  }

  /**
   * Sends one batch to one partition and waits for all in-sync replicas.
   *
   * @returns offset of the first message; the others follow without a gap, because a batch is stored as one piece
   * @throws  what classifyKafkaError knows
   */
  async sendBatch(partition: number, messages: readonly TopicMessage[]): Promise<bigint> {
    this.#batchesInFlight += 1;
    try {
      const [stored] = await this.#send(
        messages.map(({ key, value, headers }) => ({ key, value, headers, partition })),
      );
      // This is no error to kafkajs: it found no leader for the partition, and sent nothing.
      if (stored?.baseOffset === undefined) throw new PartitionGone(this.#topic, partition);
      return BigInt(stored.baseOffset);
    } finally {
      this.#batchesInFlight -= 1;
      if (this.#batchesInFlight === 0) this.#onRetired?.();
    }
  }

  /** Closes as soon as the batches on their way have been answered; its owner sends nothing more over it. */
  async retire(): Promise<void> {
    if (this.#batchesInFlight > 0) await new Promise<void>((resolve) => { this.#onRetired = resolve; });
    await this.close();
  }

  /** Ends everything; batches still on their way are rejected. Safe before connect, and safe twice. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #send(messages: Parameters<Producer['send']>[0]['messages']) {
    const { sendTimeoutMs } = this.#settings;
    const sending = this.#producer.send({ topic: this.#topic, acks: -1, timeout: sendTimeoutMs, messages });
    return withinLimit(sending, sendTimeoutMs, () => new NoAnswerInTime('send', sendTimeoutMs));
  }

  async #end(): Promise<void> {
    try {
      // Waits for answers that may never come, and leaves half-closed sockets behind when the other side is frozen.
      await withinLimit(this.#producer.disconnect(), goodbyeLimitMs, () => new NoAnswerInTime('disconnect', goodbyeLimitMs));
    } catch {
      // Whatever it is, the sockets are cut now, and no message depends on it any more.
    } finally {
      this.#sockets.destroy();
    }
  }
}

const noPartition = -1;

/** A new object each time: kafkajs keeps its authenticator in it. */
function toSaslOptions({ mechanism, username, password }: KafkaCredentials): SASLOptions {
  return { mechanism, username, password };
}
