import { BrokerThrottled, classifyKafkaError, type KafkaFailure } from '../../../shared/kafka/classify-error.js';
import { LONGEST_THROTTLE_WAIT_MS, type TopicConnection } from '../../../shared/kafka/topic-connection.js';
import { nextBatchLength, type BatchLimits } from './batch-rule.js';
import { answerAll, ofWholeTopic, takeUnanswered, withoutSending, type PendingSend } from './pending-send.js';

/** What a queue asks of the sender of its topic. */
export interface PartitionQueueOwner {
  /** Is this the connection that new messages go over? */
  isInUse(connection: TopicConnection): boolean;
  /** The connection is of no more use: the next message gets a new one. Does nothing for one that was left before. */
  leave(connection: TopicConnection): void;
  /** A partition has moved. The next message gets a new connection, unless this one has been made to ask for the leaders just now. */
  askForLeaders(connection: TopicConnection): void;
  /** These get their second send over the next connection, after a pause. */
  sendAgainSoon(sends: readonly PendingSend[]): void;
  /** These have not left yet, and go over the next connection. */
  takeBack(sends: readonly PendingSend[]): void;
  /** Calls it after this time, ms, if the sender is still open then. */
  later(ms: number, work: () => void): void;
}

/**
 * Messages of one partition on one connection, oldest first: cuts them into batches and settles how each batch ended.
 *
 * A batch belongs to one partition, because that is how Kafka stores it and where its size limit applies. In one request
 * with other partitions kafkajs reports only the first error, and all messages of that request would have to be sent
 * again, those that were stored included.
 */
export class PartitionQueue {
  #waiting: PendingSend[] = [];
  #batchesInFlight = 0;
  #isPausing = false;

  constructor(
    private readonly connection: TopicConnection,
    private readonly partition: number,
    private readonly limits: BatchLimits,
    private readonly owner: PartitionQueueOwner,
  ) {}

  /** Does not send yet: `pump` does, when all messages of this turn of the event loop are here. */
  add(send: PendingSend): void {
    this.#waiting.push(send);
  }

  /** Sends what the batch rule lets leave now. */
  pump(): void {
    this.#waiting = takeUnanswered(this.#waiting);
    for (;;) {
      const length = nextBatchLength(this.#waiting, this.#batchesInFlight, this.limits);
      if (length === 0 || this.#isHeldBack()) return;
      void this.#sendAndGoOn(this.#waiting.splice(0, length));
    }
  }

  /**
   * The sender has left the connection. Batches on their way, perhaps to healthy brokers, may finish. What waits behind
   * such a batch stays until then: its end tells whether the rest is worth a try.
   */
  retire(): void {
    if (this.#batchesInFlight === 0) this.owner.takeBack(this.#waiting.splice(0));
  }

  /** true: the broker asks to send nothing now. What waits goes later, or back. */
  #isHeldBack(): boolean {
    const { throttledForMs } = this.connection;
    if (throttledForMs === 0) return false;
    if (throttledForMs > LONGEST_THROTTLE_WAIT_MS) {
      answerAll(this.#waiting.splice(0), classifyKafkaError(new BrokerThrottled(throttledForMs)));
    } else if (!this.#isPausing) {
      this.#isPausing = true;
      this.owner.later(throttledForMs, () => {
        this.#isPausing = false;
        this.#goOn();
      });
    }
    return true;
  }

  #goOn(): void {
    if (this.connection.isLoginOver) this.owner.leave(this.connection);
    if (this.owner.isInUse(this.connection)) this.pump();
    else this.retire();
  }

  async #sendAndGoOn(batch: readonly PendingSend[]): Promise<void> {
    this.#batchesInFlight += 1;
    for (const send of batch) send.isUnderWay = true;
    await this.#sendBatch(batch);
    this.#batchesInFlight -= 1;
    this.#goOn();
  }

  /** Never rejects: ends with every message answered, or waiting again. */
  async #sendBatch(batch: readonly PendingSend[]): Promise<void> {
    const { partition } = this;
    try {
      const baseOffset = await this.connection.sendBatch(partition, batch.map((send) => send.message));
      batch.forEach((send, index) => {
        send.answer({ kind: 'delivered', receipt: { partition, offset: baseOffset === undefined ? null : String(baseOffset + BigInt(index)) } });
      });
    } catch (error) {
      await this.#settleFailure(batch, ofWholeTopic(classifyKafkaError(error), this.connection, partition));
    }
  }

  async #settleFailure(batch: readonly PendingSend[], failure: KafkaFailure): Promise<void> {
    switch (failure.scope) {
      case 'message':
        if (batch.length === 1) answerAll(batch, failure);
        else await Promise.all(takeUnanswered(batch).map((send) => this.#sendBatch([send])));
        return;
      case 'layout': {
        const first = batch.filter((send) => !send.wasSentAgain);
        answerAll(batch.filter((send) => send.wasSentAgain), failure);
        // A partition that moves for ever must not cost the others a new connection each time.
        if (failure.code === 'broker_unavailable' && failure.culprit === 'endpoint') this.owner.askForLeaders(this.connection);
        else this.owner.leave(this.connection);
        this.owner.sendAgainSoon(first);
        return;
      }
      case 'connection':
        answerAll(batch, failure);
        this.owner.leave(this.connection);
        this.#putBack(this.#waiting.splice(0), failure);
        return;
      case 'leader':
        if (failure.isUnsent === true) {
          this.#putBack(batch, failure);
        } else {
          answerAll(batch, failure);
        }
        this.#putBack(this.#waiting.splice(0), failure);
        return;
      case 'topic':
        answerAll(batch, failure);
    }
  }

  /**
   * What was not sent has not failed: it goes over the next connection, or to another partition. Once only, since a broker
   * may let us in each time, and be silent each time.
   */
  #putBack(sends: readonly PendingSend[], failure: KafkaFailure): void {
    answerAll(sends.filter((send) => send.wasPutBack), withoutSending(failure));
    const first = takeUnanswered(sends);
    for (const send of first) {
      send.wasPutBack = true;
      send.isUnderWay = false;
    }
    this.owner.takeBack(first);
  }
}
