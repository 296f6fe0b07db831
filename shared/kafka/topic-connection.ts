import kafkajs from 'kafkajs';
import type { Producer } from 'kafkajs';

import { openGuard, type AddressGuard } from '../addresses/address-guard.js';
import { BrokerSockets } from './broker-sockets.js';
import { BrokerThrottled, classifyKafkaError, isClosedConnection, LeaderDown, NoAnswerInTime, NotSentInTime, PartitionGone } from './classify-error.js';
import { secretTextsOfLogin, type BrokerAddress, type KafkaCluster } from './cluster-identity.js';
import { toKafkajsLogging } from './kafkajs-log.js';
import type { KafkaLog } from './kafkajs-log.js';
import { ClosedAtFirstRequest } from './no-kafka-broker.js';
import { ProduceGate, type Departure } from './produce-gate.js';
import { toSasl } from './sasl-login.js';
import { withinLimit } from '../lifecycle/time-limit.js';
import type { TopicMessage } from './topic-message.js';
import { TopicPartitions } from './topic-partitions.js';

export interface ConnectionSettings {
  /** Connect, version exchange, TLS and SASL of one bootstrap broker together, in whole milliseconds. */
  readonly connectTimeoutMs: number;
  /** From the moment a batch is handed to kafkajs until the broker has acknowledged it, in whole milliseconds. */
  readonly sendTimeoutMs: number;
  readonly log?: KafkaLog | undefined;
  /** It judges every address before a connection to it is made. The default refuses only what is never sent to. */
  readonly guard?: AddressGuard | undefined;
  /** Called with the brokers that the cluster names, each time that it does. */
  readonly onBrokers?: (brokers: readonly BrokerAddress[]) => void;
}

/** How many other brokers of a cluster are asked whether they are well, when one fails. */
const MOST_PROBED = 3;
/** How long a polite goodbye may take before the sockets are cut, in milliseconds: nothing is lost by cutting. */
const goodbyeLimitMs = 100;
/** How much longer a batch may take when the broker asks for a wait while it is on its way, in milliseconds. */
const LONGEST_EXTENSION_MS = 60_000;
/**
 * A broker's wait up to this long, in milliseconds, is waited for within an attempt: quotas in steady use ask for some ten
 * milliseconds at a time. For a longer one tasks go back, so that they do not use up the time of their attempt.
 */
export const LONGEST_THROTTLE_WAIT_MS = 1_000;

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
  readonly #cluster: KafkaCluster;
  readonly #topic: string;
  readonly #settings: ConnectionSettings;
  readonly #sockets: BrokerSockets;
  readonly #producer: Producer;
  readonly #gate = new ProduceGate();
  readonly partitions: TopicPartitions;
  /** Questions whether others than a failed broker answer, by number of the failed one. */
  readonly #askingOthers = new Map<number, Promise<boolean>>();
  readonly #probes = new Set<TopicConnection>();
  readonly #madeAt = performance.now();
  #batchesInFlight = 0;
  #onRetired: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(cluster: KafkaCluster, bootstrap: BrokerAddress, topic: string, settings: ConnectionSettings) {
    this.#cluster = cluster;
    this.#topic = topic;
    this.#settings = settings;
    this.partitions = new TopicPartitions(topic, this.#gate);
    const { guard = openGuard() } = settings;
    this.#sockets = new BrokerSockets(bootstrap, { guard: cluster.isOfOperator ? guard.ofOperator : guard, mayLeave: (partition) => this.#gate.mayLeave(partition), onBrokers: settings.onBrokers, tls: cluster.tls });
    const { logLevel, logCreator } = toKafkajsLogging((entry) => {
      // Errors of kafkajs about sockets that we cut ourselves are expected.
      if (this.#closing === undefined) settings.log?.(entry);
    }, secretTextsOfLogin(cluster.credentials));
    const kafka = new kafkajs.Kafka({
      clientId: 'kafka-retry-service',
      brokers: [this.#sockets.bootstrapName],
      ...(cluster.credentials !== undefined && { sasl: toSasl(cluster.credentials) }),
      // It is left to the sockets.
      ssl: false,
      socketFactory: this.#sockets.open,
      connectionTimeout: settings.connectTimeoutMs,
      // Ours ends earlier, but for a broker that asks for a wait.
      requestTimeout: settings.sendTimeoutMs + LONGEST_EXTENSION_MS,
      // kafkajs's default of 5 retries makes a dead broker answer after 17 s, and a frozen one after 28 s.
      retry: { retries: 0 },
      logLevel,
      logCreator,
    });
    this.#producer = kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: () => ({ partitionMetadata, message }) => {
        // The only place where kafkajs shows a topic's partitions.
        this.partitions.learn(partitionMetadata);
        return message.partition ?? noPartition;
      },
    });
  }

  /** @throws what classifyKafkaError knows. An answer that is none outranks what kafkajs makes of it */
  async connect(): Promise<void> {
    const { connectTimeoutMs } = this.#settings;
    try {
      await withinLimit(this.#producer.connect(), connectTimeoutMs, () => this.#connectLateness());
    } catch (error) {
      throw this.#sockets.fault ?? error;
    }
  }

  /** How long ago it was made, and its leaders were asked for, in milliseconds. */
  get ageMs(): number {
    return performance.now() - this.#madeAt;
  }

  /** The broker will soon end it, since its login is no longer valid: nothing more is to be sent over it. */
  get isLoginOver(): boolean {
    return this.#sockets.isLoginOver;
  }

  /** For how long the broker asks to send nothing (KIP-219), in whole milliseconds; 0: send. */
  get throttledForMs(): number {
    return this.#sockets.throttledForMs;
  }

  /**
   * Asks how many partitions the topic has. kafkajs tells only its partitioner, so a message is sent to partition -1:
   * kafkajs looks up the topic, finds no leader for -1, and sends nothing.
   */
  async learnPartitions(): Promise<void> {
    const { throttledForMs } = this;
    if (throttledForMs > LONGEST_THROTTLE_WAIT_MS) throw new BrokerThrottled(throttledForMs);
    try {
      const { sendTimeoutMs } = this.#settings;
      await this.#send([{ value: null, partition: noPartition }], 0, () => new NoAnswerInTime('metadata', sendTimeoutMs));
    } catch (error) {
      // A broker that asks for a login has no answer for a request without one.
      const isFirst = this.#sockets.brokers.size === 0 && this.#cluster.credentials === undefined;
      throw this.#sockets.fault ?? (isFirst && isClosedConnection(error) ? new ClosedAtFirstRequest({ cause: error }) : error);
    }
  }

  /**
   * Sends one batch to one partition and waits for all in-sync replicas.
   *
   * @returns offset of the first message; the others follow without a gap, because a batch is stored as one piece. undefined:
   *          the broker has acknowledged it, and does not tell the offset (-1)
   * @throws  what classifyKafkaError knows
   */
  async sendBatch(partition: number, messages: readonly TopicMessage[]): Promise<bigint | undefined> {
    this.#batchesInFlight += 1;
    const startedAt = performance.now();
    const departure = this.#gate.enter(partition);
    try {
      const [stored] = await this.#send(
        messages.map(({ key, value, headers }) => ({ key, value, headers, partition })),
        LONGEST_EXTENSION_MS,
        () => this.#sendLateness(partition, departure),
      );
      // This is no error to kafkajs: it found no leader for the partition, and sent nothing.
      if (stored?.baseOffset === undefined) throw new PartitionGone(this.#topic, partition);
      const offset = BigInt(stored.baseOffset);
      return offset < 0n ? undefined : offset;
    } catch (error) {
      throw await this.#findCulprit(error, partition, departure, startedAt);
    } finally {
      this.#gate.end(partition, departure);
      this.#cutDown();
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

  /**
   * Ends the sockets to brokers that are down, as soon as no batch waits for an answer of theirs. kafkajs asks any connected
   * broker for metadata, so a silent one would hold up the partitions of the others.
   */
  #cutDown(): void {
    for (const node of this.partitions.down) {
      const broker = this.#sockets.brokers.get(node);
      if (broker !== undefined && this.partitions.isIdle(node)) this.#sockets.cut(broker);
    }
  }

  /**
   * Whether a batch has failed because of its leader alone. The cluster as a whole is to blame only when no other broker of
   * it can be reached: otherwise one dead broker would stop the partitions of all the others.
   */
  async #findCulprit(error: unknown, partition: number, { hasLeft }: Departure, startedAt: number): Promise<unknown> {
    const leader = this.partitions.leaderOf(partition);
    const broker = leader === undefined ? undefined : this.#sockets.brokers.get(leader);
    const faultOfLeader = broker === undefined ? undefined : this.#sockets.faultOf(broker);
    const cause = faultOfLeader ?? this.#sockets.fault ?? error;
    const failure = classifyKafkaError(cause);
    const isOfLeader = failure.scope === 'connection' && failure.culprit === 'host' && (faultOfLeader !== undefined || this.#sockets.fault === undefined);
    if (leader === undefined || broker === undefined || !isOfLeader || this.#closing !== undefined) return cause;
    if (!(await this.#doesAnotherAnswer(leader, broker, startedAt))) return cause;
    this.partitions.leaderIsDown(leader, failure);
    return new LeaderDown(this.#topic, partition, failure, !hasLeft);
  }

  /** @param since monotonic ms: an answer that came later is enough, and no broker is asked */
  #doesAnotherAnswer(failedNode: number, failed: BrokerAddress, since: number): Promise<boolean> | boolean {
    const others = this.#sockets.othersThan(failed);
    if (others.some((other) => this.#sockets.hasAnswered(other, since))) return true;
    const known = this.#askingOthers.get(failedNode);
    if (known !== undefined) return known;
    const asking = Promise.any(others.slice(0, MOST_PROBED).map((other) => this.#probe(other)))
      .then(() => true, () => false)
      .finally(() => this.#askingOthers.delete(failedNode));
    this.#askingOthers.set(failedNode, asking);
    return asking;
  }

  /** Logs in to a broker over a connection of its own, and ends it. @throws when the broker does not let us in */
  async #probe(broker: BrokerAddress): Promise<void> {
    const probe = new TopicConnection(this.#cluster, broker, this.#topic, this.#settings);
    this.#probes.add(probe);
    try {
      await probe.connect();
    } finally {
      this.#probes.delete(probe);
      void probe.close();
    }
  }

  /** @param longestExtensionMs how much longer it may take if the broker asks for a wait meanwhile */
  async #send(messages: Parameters<Producer['send']>[0]['messages'], longestExtensionMs: number, createLateness: () => Error) {
    const { sendTimeoutMs } = this.#settings;
    const latestAt = performance.now() + sendTimeoutMs + longestExtensionMs;
    const sending = this.#producer.send({ topic: this.#topic, acks: -1, timeout: sendTimeoutMs, messages });
    // A broker reads nothing while it throttles us, so the time for its answer begins when that is over.
    const moreMs = (): number => Math.min(this.#sockets.throttledUntil + sendTimeoutMs, latestAt) - performance.now();
    return withinLimit(sending, sendTimeoutMs, createLateness, moreMs);
  }

  #connectLateness(): Error {
    const { throttledForMs } = this;
    return throttledForMs > 0 ? new BrokerThrottled(throttledForMs) : new NoAnswerInTime('connect', this.#settings.connectTimeoutMs);
  }

  #sendLateness(partition: number, { hasLeft }: Departure): Error {
    const { sendTimeoutMs } = this.#settings;
    if (hasLeft) return new NoAnswerInTime('send', sendTimeoutMs);
    // kafkajs may get to write it later, when its messages have been answered as not sent.
    this.partitions.shut(partition);
    return new NotSentInTime(sendTimeoutMs);
  }

  async #end(): Promise<void> {
    for (const probe of this.#probes) void probe.close();
    try {
      // Waits for answers that may never come, and leaves half-closed sockets behind when the other side is frozen.
      await withinLimit(this.#producer.disconnect(), goodbyeLimitMs, () => new NoAnswerInTime('disconnect', goodbyeLimitMs));
    } catch {
      // The sockets are cut now, whatever the error was, and no message depends on it any more.
    } finally {
      this.#sockets.destroy();
    }
  }
}

const noPartition = -1;
