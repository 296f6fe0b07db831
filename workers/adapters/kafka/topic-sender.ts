import type { DeliveryResult } from '../../../shared/domain/ports.js';
import { classifyKafkaError } from '../../../shared/kafka/classify-error.js';
import type { TopicConnection } from '../../../shared/kafka/topic-connection.js';
import type { TopicMessage } from '../../../shared/kafka/topic-message.js';
import type { BatchLimits } from './batch-rule.js';
import { PartitionQueue, type PartitionQueueOwner } from './partition-queue.js';
import { answerAll, ofWholeTopic, PendingSend, takeUnanswered } from './pending-send.js';

/**
 * Pause before the second send of a batch whose partition had moved, ms: a cluster needs a moment to elect a leader, and a
 * broker to learn that it leads a topic which others already know of.
 */
const LAYOUT_PAUSE_MS = 100;
/** The leaders of a topic are asked for again when a message needs one that is missing, and the last answer is older, ms. */
const LEADERS_KNOWN_FOR_MS = 1_000;

/**
 * Sends the messages of one topic of one cluster. Messages that are here together leave together, batched by partition
 * (partition-queue.ts). A failure is answered only for the messages that it belongs to.
 */
export class TopicSender {
  readonly #connect: (signal: AbortSignal) => Promise<TopicConnection>;
  readonly #limits: BatchLimits;
  readonly #onIdle: () => void;
  readonly #closing = new AbortController();
  readonly #unanswered = new Set<PendingSend>();
  /** Taken, but not yet given to a partition. */
  #waiting: PendingSend[] = [];
  #isFlushing = false;
  #connection: TopicConnection | undefined;
  /** Connections that were left, with batches still on their way. */
  readonly #retired = new Set<TopicConnection>();
  /** A queue for each partition; all of them belong to the connection in use. */
  #queues = new Map<number, PartitionQueue>();
  readonly #pauses = new Set<NodeJS.Timeout>();
  readonly #queueOwner: PartitionQueueOwner = {
    isInUse: (connection) => connection === this.#connection,
    leave: (connection) => {
      if (connection === this.#connection) this.#leaveConnection();
    },
    askForLeaders: (connection) => {
      // kafkajs has asked for them too, when it got the error.
      if (connection === this.#connection && connection.ageMs > LEADERS_KNOWN_FOR_MS) this.#leaveConnection();
    },
    sendAgainSoon: (sends) => this.#sendAgainSoon(sends),
    takeBack: (sends) => {
      this.#waiting.push(...sends);
      if (this.#waiting.length > 0) this.#scheduleFlush();
    },
    later: (ms, work) => this.#later(ms, work),
  };

  /**
   * @param connect makes a connection that works; its signal aborts when this sender is closed
   * @param onIdle  called each time the last unanswered message was answered, or there is nothing left to do
   */
  constructor(connect: (signal: AbortSignal) => Promise<TopicConnection>, limits: BatchLimits, onIdle: () => void) {
    this.#connect = connect;
    this.#limits = limits;
    this.#onIdle = onIdle;
  }

  get hasUnanswered(): boolean {
    return this.#unanswered.size > 0;
  }

  /** true: no message waits for its answer, and no connection is being made. */
  get isIdle(): boolean {
    return !this.hasUnanswered && !this.#isFlushing;
  }

  /**
   * @param answer called once: the broker has acknowledged the message, or it has failed
   * @returns the handle by which the caller can answer the message itself, as when its time is over. A message that is
   *          answered before its batch has left is not sent
   */
  add(message: TopicMessage, answer: (result: DeliveryResult) => void): PendingSend {
    const send = new PendingSend(message, (result) => {
      this.#unanswered.delete(send);
      answer(result);
      if (!this.hasUnanswered) this.#onIdle();
    });
    this.#unanswered.add(send);
    this.#waiting.push(send);
    this.#scheduleFlush();
    return send;
  }

  /** Answers what is still unanswered and ends the connection. Safe twice. */
  async close(): Promise<void> {
    for (const send of [...this.#unanswered]) {
      send.answer({ kind: 'failed', code: 'shutting_down', detail: 'the connection to Kafka was closed' });
    }
    for (const pause of this.#pauses) clearTimeout(pause);
    this.#closing.abort();
    await this.#connection?.close();
    await Promise.all([...this.#retired].map((connection) => connection.close()));
  }

  /** At the end of this turn of the event loop, so that messages that arrive in the same turn share a batch. */
  #scheduleFlush(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => { void this.#flushSafely(); });
  }

  /** An unhandled rejection would end the process, and a flush that stays begun would end this sender. */
  async #flushSafely(): Promise<void> {
    try {
      await this.#flush();
    } catch (error) {
      this.#isFlushing = false;
      answerAll(this.#waiting.splice(0), classifyKafkaError(error));
      this.#leaveConnection();
    }
  }

  async #flush(): Promise<void> {
    const isWanted = this.#waiting.some((send) => !send.isAnswered);
    const connection = isWanted ? await this.#readyConnection() : undefined;
    this.#isFlushing = false;
    if (connection !== undefined && connection === this.#connection) {
      this.#distribute(connection, this.#waiting.splice(0));
    } else {
      // Messages that came while the others were answered, or while a batch in flight found the connection dead.
      this.#waiting = takeUnanswered(this.#waiting);
      if (this.#waiting.length > 0) this.#scheduleFlush();
    }
    if (this.isIdle) this.#onIdle();
  }

  #distribute(connection: TopicConnection, sends: readonly PendingSend[]): void {
    const touched = new Set<PartitionQueue>();
    const leaderless: PendingSend[] = [];
    for (const send of sends) {
      const partition = connection.partitions.partitionOf(send.message);
      if (!connection.partitions.hasLeader(partition)) {
        leaderless.push(send);
        continue;
      }
      const queue = this.#queueOf(connection, partition);
      queue.add(send);
      touched.add(queue);
    }
    for (const queue of touched) queue.pump();
    if (leaderless.length > 0) this.#settleLeaderless(connection, leaderless);
  }

  /** A missing leader stops the messages of its own partition. The others have left already. */
  #settleLeaderless(connection: TopicConnection, sends: readonly PendingSend[]): void {
    if (sends.some(({ message }) => connection.partitions.leaderlessForMs(connection.partitions.partitionOf(message)) > LEADERS_KNOWN_FOR_MS)) {
      // kafkajs asks for the leaders of a topic by itself only after an error or five minutes.
      if (connection === this.#connection) this.#leaveConnection();
      this.#queueOwner.takeBack(sends);
      return;
    }
    for (const send of sends) {
      const partition = connection.partitions.partitionOf(send.message);
      answerAll([send], ofWholeTopic(classifyKafkaError(connection.partitions.withoutLeader(partition)), connection, partition));
    }
  }

  /** @returns undefined: there is none, and all messages that waited for it have been answered */
  async #readyConnection(): Promise<TopicConnection | undefined> {
    if (this.#connection?.isLoginOver === true) this.#leaveConnection();
    try {
      this.#connection ??= await this.#connect(this.#closing.signal);
      const connection = this.#connection;
      if (!connection.partitions.areKnown) await connection.learnPartitions();
      if (!this.#closing.signal.aborted) return connection;
      await connection.close();
    } catch (error) {
      const failure = classifyKafkaError(error);
      // A connection that can say "no such topic" also serves the next message.
      if (failure.scope === 'connection') this.#leaveConnection();
      answerAll(this.#waiting.splice(0), failure);
    }
    return undefined;
  }

  #queueOf(connection: TopicConnection, partition: number): PartitionQueue {
    const known = this.#queues.get(partition);
    if (known !== undefined) return known;
    const queue = new PartitionQueue(connection, partition, this.#limits, this.#queueOwner);
    this.#queues.set(partition, queue);
    return queue;
  }

  #sendAgainSoon(sends: readonly PendingSend[]): void {
    for (const send of sends) send.wasSentAgain = true;
    this.#later(LAYOUT_PAUSE_MS, () => {
      this.#waiting.unshift(...sends);
      this.#scheduleFlush();
    });
  }

  #later(ms: number, work: () => void): void {
    const pause = setTimeout(() => {
      this.#pauses.delete(pause);
      work();
    }, ms);
    this.#pauses.add(pause);
  }

  /** Messages that have not left yet go over the next connection: see PartitionQueue.retire. */
  #leaveConnection(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) {
      this.#retired.add(connection);
      void connection.retire().then(() => this.#retired.delete(connection));
    }
    const queues = [...this.#queues.values()];
    this.#queues = new Map();
    for (const queue of queues) queue.retire();
  }
}
