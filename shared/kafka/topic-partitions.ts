import kafkajs from 'kafkajs';
import type { PartitionMetadata } from 'kafkajs';

import { LeaderDown, PartitionWithoutLeader, type KafkaFailure } from './classify-error.js';
import type { ProduceGate } from './produce-gate.js';
import type { TopicMessage } from './topic-message.js';

interface LeaderFailure extends KafkaFailure {
  /** When it was seen, monotonic milliseconds. */
  readonly at: number;
}

/** A broker that failed is left out for at least this time, ms, while its connection is in use. */
const DOWN_FOR_MS = 1_000;

/** The partitions of a topic as one connection knows them, and which of them have a leader that works. */
export class TopicPartitions {
  readonly #choosePartition = kafkajs.Partitioners.DefaultPartitioner();
  #partitions: PartitionMetadata[] = [];
  #counted = countOnly(0);
  /** Partitions that nothing can be sent to over this connection, as they have no leader that works: nearly always none. */
  #leaderless: ReadonlySet<number> = new Set();
  /** Brokers that failed while others of the cluster answered, by number. */
  readonly #down = new Map<number, LeaderFailure>();
  readonly #madeAt = performance.now();

  constructor(
    private readonly topic: string,
    private readonly gate: ProduceGate,
  ) {}

  get areKnown(): boolean {
    return this.#partitions.length > 0;
  }

  /** The numbers of the brokers that are taken to be down. */
  get down(): readonly number[] {
    return this.#down.size === 0 ? [] : [...this.#down.keys()];
  }

  /** To be called with what kafkajs has been told, each time that it shows it. */
  learn(partitions: PartitionMetadata[]): void {
    if (partitions === this.#partitions) return;
    this.#partitions = partitions;
    this.#counted = countOnly(partitions.length);
    // The metadata is new, so leaders that were down some time ago get another chance: messages without a key never ask for one.
    for (const [node, { at }] of this.#down) if (performance.now() - at > DOWN_FOR_MS) this.#down.delete(node);
    this.#findLeaderless();
  }

  /** A broker has failed while others of the cluster answer. */
  leaderIsDown(node: number, failure: KafkaFailure): void {
    this.#down.set(node, { ...failure, at: performance.now() });
    this.#findLeaderless();
  }

  /** Nothing more leaves for this partition: see ProduceGate.shut. */
  shut(partition: number): void {
    this.gate.shut(partition);
    this.#findLeaderless();
  }

  /**
   * The partition Kafka's own Java producer would choose for the key (murmur2). Only once the partitions are known. A
   * message whose client chose no key goes to another one when that one has no leader.
   */
  partitionOf({ key, isKeyed }: Pick<TopicMessage, 'key' | 'isKeyed'>): number {
    const partition = this.#choose(this.#counted, key);
    if (isKeyed || this.hasLeader(partition)) return partition;
    const led = this.#partitions.filter(({ partitionId }) => this.hasLeader(partitionId));
    return led[this.#choose(countOnly(led.length), key)]?.partitionId ?? partition;
  }

  hasLeader(partition: number): boolean {
    return this.#leaderless.size === 0 || !this.#leaderless.has(partition);
  }

  /** Whether nothing can be sent to the topic at all while nothing can be sent to this partition. */
  isLastOne(partition: number): boolean {
    return this.#partitions.every(({ partitionId }) => partitionId === partition || !this.hasLeader(partitionId));
  }

  /** What is to be said of a message for a partition that has no leader. */
  withoutLeader(partition: number): PartitionWithoutLeader | LeaderDown {
    const failure = this.#failureOfLeader(partition);
    return failure === undefined ? new PartitionWithoutLeader(this.topic, partition) : new LeaderDown(this.topic, partition, failure, true);
  }

  /** For how long it has been known that nothing can be sent to the partition over this connection, in milliseconds. */
  leaderlessForMs(partition: number): number {
    return performance.now() - (this.#failureOfLeader(partition)?.at ?? this.#madeAt);
  }

  /** Number of the broker that leads it. */
  leaderOf(partition: number): number | undefined {
    return this.#partitions.find(({ partitionId }) => partitionId === partition)?.leader;
  }

  /** Whether no batch waits for an answer of this broker. */
  isIdle(node: number): boolean {
    return this.#partitions.every(({ leader, partitionId }) => leader !== node || this.gate.underWay(partitionId) === 0);
  }

  #findLeaderless(): void {
    const leaderless = this.#partitions.filter(({ leader, partitionId }) => leader < 0 || this.#down.has(leader) || this.gate.isShut(partitionId));
    this.#leaderless = new Set(leaderless.map(({ partitionId }) => partitionId));
  }

  #failureOfLeader(partition: number): LeaderFailure | undefined {
    const leader = this.leaderOf(partition);
    return leader === undefined ? undefined : this.#down.get(leader);
  }

  #choose(partitionMetadata: PartitionMetadata[], key: Buffer): number {
    // With one partition the hash of the key makes no difference.
    if (partitionMetadata.length <= 1) return 0;
    return this.#choosePartition({ topic: this.topic, partitionMetadata, message: { key, value: null } });
  }
}

/**
 * For a message with a key kafkajs's partitioner needs the number of partitions alone. It also looks through all of them each
 * time, for messages without a key: that takes 0.5 ms of 10,000 partitions.
 */
function countOnly(partitions: number): PartitionMetadata[] {
  // It reads these two and nothing else.
  const counted: Pick<PartitionMetadata[], 'length'> & { filter: () => [] } = { length: partitions, filter: () => [] };
  return counted as unknown as PartitionMetadata[];
}
