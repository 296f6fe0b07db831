import type { DeliveryResult } from '../../../shared/domain/ports.js';
import { nextBatchLength } from './batch-rule.js';
import type { BatchLimits } from './batch-rule.js';
import { classifyKafkaError } from '../../../shared/kafka/classify-error.js';
import type { KafkaFailure } from '../../../shared/kafka/classify-error.js';
import { PendingSend } from './pending-send.js';
import type { TopicConnection } from '../../../shared/kafka/topic-connection.js';
import type { TopicMessage } from '../../../shared/kafka/topic-message.js';

/** Messages of one partition, oldest first, and the number of batches that are on their way to it. */
interface PartitionQueue {
  readonly partition: number;
  waiting: PendingSend[];
  batchesInFlight: number;
}

/**
 * Pause before the second send of a batch whose partition had moved, in milliseconds: a cluster needs a moment to elect
 * a leader, and a broker to learn that it leads a topic which others already know of.
 */
const layoutPauseMs = 100;

/**
 * Sends the messages of one topic of one cluster: batches what is in flight together, partition by partition, and
 * sees to it that a failure costs nobody but those it belongs to.
 *
 * A batch belongs to one partition because that is how Kafka stores it and where its size limit applies; in one
 * request with other partitions kafkajs reports only the first error, and whoever shared the request would have to be
 * sent again without need.
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
  /** Left behind, with batches still on their way. */
  readonly #retired = new Set<TopicConnection>();
  #queues = new Map<number, PartitionQueue>();
  readonly #pauses = new Set<NodeJS.Timeout>();

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

  /** Nothing to do: nobody waits, and no connection is being made. */
  get isIdle(): boolean {
    return !this.hasUnanswered && !this.#isFlushing;
  }

  /**
   * @param answer called once, when the broker has acknowledged the message or has finally not
   * @returns the handle by which the caller can answer it himself (its time is over): a message that is answered
   *          before its batch has left is not sent
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

  /** At the end of this turn of the event loop, so that whoever arrives in the same turn shares the batch. */
  #scheduleFlush(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => { void this.#flush(); });
  }

  async #flush(): Promise<void> {
    const isWanted = this.#waiting.some((send) => !send.isAnswered);
    const connection = isWanted ? await this.#readyConnection() : undefined;
    this.#isFlushing = false;
    if (connection !== undefined && connection === this.#connection) {
      this.#distribute(connection, this.#waiting.splice(0));
    } else {
      // Whoever came while the others were told, or while a batch in flight found out that the connection is dead.
      this.#waiting = takeUnanswered(this.#waiting);
      if (this.#waiting.length > 0) this.#scheduleFlush();
    }
    if (this.isIdle) this.#onIdle();
  }

  #distribute(connection: TopicConnection, sends: readonly PendingSend[]): void {
    const touched = new Set<PartitionQueue>();
    for (const send of sends) {
      const queue = this.#queueOf(connection.partitionOf(send.message.key));
      queue.waiting.push(send);
      touched.add(queue);
    }
    for (const queue of touched) this.#pump(connection, queue);
  }

  /** undefined: there is none, and everyone who was waiting for it has been told. */
  async #readyConnection(): Promise<TopicConnection | undefined> {
    try {
      this.#connection ??= await this.#connect(this.#closing.signal);
      const connection = this.#connection;
      if (!connection.knowsPartitions) await connection.learnPartitions();
      if (!this.#closing.signal.aborted) return connection;
      await connection.close();
    } catch (error) {
      const failure = classifyKafkaError(error);
      // A connection that can say "no such topic" is good for the next question, too.
      if (failure.scope === 'connection') this.#leaveConnection();
      answerAll(this.#waiting.splice(0), failure);
    }
    return undefined;
  }

  #queueOf(partition: number): PartitionQueue {
    const known = this.#queues.get(partition);
    if (known !== undefined) return known;
    const queue: PartitionQueue = { partition, waiting: [], batchesInFlight: 0 };
    this.#queues.set(partition, queue);
    return queue;
  }

  #pump(connection: TopicConnection, queue: PartitionQueue): void {
    queue.waiting = takeUnanswered(queue.waiting);
    for (;;) {
      const length = nextBatchLength(queue.waiting, queue.batchesInFlight, this.#limits);
      if (length === 0) return;
      void this.#sendAndGoOn(connection, queue, queue.waiting.splice(0, length));
    }
  }

  async #sendAndGoOn(connection: TopicConnection, queue: PartitionQueue, batch: readonly PendingSend[]): Promise<void> {
    queue.batchesInFlight += 1;
    await this.#sendBatch(connection, queue, batch);
    queue.batchesInFlight -= 1;
    if (connection === this.#connection) this.#pump(connection, queue);
    else if (queue.batchesInFlight === 0) this.#moveBack(queue);
  }

  /** Never rejects: ends with every message answered, or waiting again. */
  async #sendBatch(connection: TopicConnection, queue: PartitionQueue, batch: readonly PendingSend[]): Promise<void> {
    const { partition } = queue;
    try {
      const baseOffset = await connection.sendBatch(partition, batch.map((send) => send.message));
      batch.forEach((send, index) => {
        send.answer({ kind: 'delivered', receipt: { partition, offset: String(baseOffset + BigInt(index)) } });
      });
    } catch (error) {
      await this.#settleFailure(connection, queue, batch, classifyKafkaError(error));
    }
  }

  async #settleFailure(
    connection: TopicConnection,
    queue: PartitionQueue,
    batch: readonly PendingSend[],
    failure: KafkaFailure,
  ): Promise<void> {
    switch (failure.scope) {
      case 'message':
        if (batch.length === 1) answerAll(batch, failure);
        else await Promise.all(takeUnanswered(batch).map((send) => this.#sendBatch(connection, queue, [send])));
        return;
      case 'layout': {
        const first = batch.filter((send) => !send.wasSentAgain);
        answerAll(batch.filter((send) => send.wasSentAgain), failure);
        if (connection === this.#connection) this.#leaveConnection();
        this.#sendAgainSoon(first);
        return;
      }
      case 'connection':
        answerAll(batch, failure);
        // Those behind it have waited as long already, for the same broker: they would only wait as long again.
        answerAll(queue.waiting.splice(0), failure);
        if (connection === this.#connection) this.#leaveConnection();
        return;
      case 'topic':
        answerAll(batch, failure);
    }
  }

  #sendAgainSoon(sends: readonly PendingSend[]): void {
    for (const send of sends) send.wasSentAgain = true;
    const pause = setTimeout(() => {
      this.#pauses.delete(pause);
      this.#waiting.unshift(...sends);
      this.#scheduleFlush();
    }, layoutPauseMs);
    this.#pauses.add(pause);
  }

  /**
   * Batches on their way, perhaps to healthy brokers, are left to finish. What has not left yet goes over the next
   * connection, but for what waits behind such a batch: that one's end tells whether it is worth a try.
   */
  #leaveConnection(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) {
      this.#retired.add(connection);
      void connection.retire().then(() => this.#retired.delete(connection));
    }
    const queues = [...this.#queues.values()];
    this.#queues = new Map();
    for (const queue of queues) if (queue.batchesInFlight === 0) this.#moveBack(queue);
  }

  #moveBack(queue: PartitionQueue): void {
    this.#waiting.push(...queue.waiting.splice(0));
    if (this.#waiting.length > 0) this.#scheduleFlush();
  }
}

function takeUnanswered(sends: readonly PendingSend[]): PendingSend[] {
  return sends.filter((send) => !send.isAnswered);
}

function answerAll(sends: readonly PendingSend[], { code, detail }: KafkaFailure): void {
  for (const send of sends) send.answer({ kind: 'failed', code, detail });
}
