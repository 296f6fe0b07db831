import { createRequire } from 'node:module';

import kafkajs from 'kafkajs';
import type { Admin, ITopicConfig, KafkaConfig } from 'kafkajs';

import { eventually } from './eventually.js';

/** One message as the broker stores it. */
export interface StoredMessage {
  readonly partition: number;
  readonly offset: string;
  /** Offset of the first message of the batch it came in: the same for all of one batch. */
  readonly batchOffset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

export interface NewTopic {
  readonly partitions?: number;
  /** Topic settings such as `max.message.bytes`. */
  readonly config?: Readonly<Record<string, string>>;
}

/** `host:port` of a real broker, from KAFKA_TEST_BROKERS (the first, if there are several). */
export function kafkaTestBroker(): { readonly host: string; readonly port: number } {
  const first = process.env['KAFKA_TEST_BROKERS']?.split(',')[0]?.trim();
  const match = /^(.+):(\d+)$/.exec(first ?? '');
  if (match?.[1] === undefined) {
    throw new Error(
      'These tests need a real Kafka broker, and KAFKA_TEST_BROKERS does not name one. ' +
        'Run `npm test`, which starts one, or set KAFKA_TEST_BROKERS=host:port.',
    );
  }
  return { host: match[1], port: Number(match[2]) };
}

/**
 * Inspects one broker from outside: it makes, removes and reads topics. Every request has a connection of its
 * own, so that nothing of it is open when a test counts connections.
 */
export class KafkaProbe {
  readonly #config: KafkaConfig;
  readonly #created = new Set<string>();

  constructor(broker: { readonly host: string; readonly port: number }) {
    this.#config = {
      brokers: [`${broker.host}:${broker.port}`],
      clientId: 'test-probe',
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 8, initialRetryTime: 50, maxRetryTime: 1_000 },
    };
  }

  /** A topic with a random name, ready to be written to. */
  async createTopic({ partitions = 1, config = {} }: NewTopic = {}): Promise<string> {
    const topic = `test-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
    await this.createNamedTopic(topic, { partitions, config });
    return topic;
  }

  async createNamedTopic(topic: string, { partitions = 1, config = {} }: NewTopic = {}): Promise<void> {
    const settings: ITopicConfig = {
      topic,
      numPartitions: partitions,
      replicationFactor: 1,
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    };
    await this.#ask(async (admin) => {
      // A topic that has just been deleted may linger for a moment.
      await eventually(() => admin.createTopics({ topics: [settings], waitForLeaders: true }), { withinMs: 10_000, everyMs: 50 });
    });
    this.#created.add(topic);
    // The broker may announce a topic some milliseconds before it hosts it.
    await eventually(() => this.readAll(topic), { withinMs: 10_000, everyMs: 20 });
  }

  /** Those of all programs that use the broker. */
  async topics(): Promise<readonly string[]> {
    let found: readonly string[] = [];
    await this.#ask(async (admin) => { found = await admin.listTopics(); });
    return found;
  }

  /** Returns when the broker no longer knows it. */
  async deleteTopic(topic: string): Promise<void> {
    this.#created.delete(topic);
    await this.#ask(async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
      await eventually(
        async () => {
          if ((await admin.listTopics()).includes(topic)) throw new Error(`topic ${topic} is still there`);
        },
        { withinMs: 10_000, everyMs: 50 },
      );
    });
  }

  /** Everything the topic holds now, by partition and offset. */
  async readAll(topic: string): Promise<StoredMessage[]> {
    const cluster = await this.#connectReader(topic);
    try {
      const found: StoredMessage[] = [];
      const partitions = cluster.findTopicPartitionMetadata(topic);
      for (const { partitionId, leader } of partitions) {
        found.push(...(await readPartition(await cluster.findBroker({ nodeId: leader }), topic, partitionId)));
      }
      return found;
    } finally {
      await cluster.disconnect();
    }
  }

  /** Waits until the topic holds at least `count` messages. */
  async readAtLeast(topic: string, count: number, withinMs = 15_000): Promise<StoredMessage[]> {
    return eventually(
      async () => {
        const messages = await this.readAll(topic);
        if (messages.length < count) throw new Error(`topic ${topic} holds ${messages.length} messages, not ${count}`);
        return messages;
      },
      { withinMs, everyMs: 25 },
    );
  }

  /** Resolves when the broker answers. */
  async ready(withinMs: number): Promise<void> {
    await eventually(() => this.#ask((admin) => admin.listTopics()), { withinMs, everyMs: 100 });
  }

  /** Resolves when all partitions have had a leader at each look for `forMs`. */
  async keepsLeaders(forMs: number, withinMs: number): Promise<void> {
    let since: number | undefined;
    await eventually(async () => {
      try {
        const { topics } = await this.#ask((admin) => admin.fetchTopicMetadata());
        const without = topics.flatMap(({ name, partitions }) => partitions.filter(({ leader }) => leader < 0).map(({ partitionId }) => `${name}/${partitionId}`));
        if (without.length > 0) throw new Error(`no leader of ${without.join(', ')}`);
      } catch (error) {
        since = undefined;
        throw error;
      }
      since ??= performance.now();
      if (performance.now() - since < forMs) throw new Error('not for long enough yet');
    }, { withinMs, everyMs: 50 });
  }

  /** Deletes every topic it made. */
  async close(): Promise<void> {
    const topics = [...this.#created];
    this.#created.clear();
    if (topics.length > 0) await this.#ask((admin) => admin.deleteTopics({ topics }));
  }

  async #ask<T>(question: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = new kafkajs.Kafka(this.#config).admin();
    await admin.connect();
    try {
      return await question(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /**
   * kafkajs reads only as a member of a consumer group, which takes seconds to form and may return only a part.
   * Its inner Cluster can simply fetch.
   */
  async #connectReader(topic: string): Promise<InnerCluster> {
    const { Cluster, createLogger, createSocketFactory } = innerKafkajs();
    const cluster = new Cluster({
      ...this.#config,
      logger: createLogger({ level: kafkajs.logLevel.NOTHING, logCreator: () => () => undefined }),
      socketFactory: createSocketFactory(),
      ssl: false,
      connectionTimeout: 5_000,
      authenticationTimeout: 5_000,
      requestTimeout: 10_000,
      metadataMaxAge: 60_000,
      allowAutoTopicCreation: false,
      isolationLevel: 0,
    });
    await cluster.connect();
    await cluster.addTargetTopic(topic);
    return cluster;
  }
}

async function readPartition(broker: InnerBroker, topic: string, partition: number): Promise<StoredMessage[]> {
  const found: StoredMessage[] = [];
  for (let next = 0n; ; ) {
    const { responses } = await broker.fetch({
      maxWaitTime: 1,
      minBytes: 1,
      maxBytes: 64 * 1024 * 1024,
      isolationLevel: 0,
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(next), maxBytes: 16 * 1024 * 1024 }] }],
    });
    const answer = responses[0]?.partitions[0];
    if (answer === undefined) throw new Error(`no answer for ${topic}, partition ${partition}`);
    for (const { offset, key, value, headers, batchContext } of answer.messages) {
      // A fetch begins with the whole batch that holds the offset.
      if (BigInt(offset) < next) continue;
      found.push({ partition, offset, batchOffset: batchContext.firstOffset, key, value, headers: headers ?? {} });
      next = BigInt(offset) + 1n;
    }
    if (next >= BigInt(answer.highWatermark)) return found;
  }
}

interface InnerBroker {
  fetch(request: unknown): Promise<{
    responses: {
      partitions: {
        highWatermark: string;
        messages: {
          offset: string;
          key: Buffer | null;
          value: Buffer | null;
          headers?: Record<string, Buffer>;
          batchContext: { firstOffset: string };
        }[];
      }[];
    }[];
  }>;
}

interface InnerCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[];
  findBroker(which: { nodeId: number }): Promise<InnerBroker>;
}

interface InnerKafkajs {
  readonly Cluster: new (options: unknown) => InnerCluster;
  readonly createLogger: (options: unknown) => unknown;
  readonly createSocketFactory: () => unknown;
}

/** kafkajs has no types for its inside; these are what 2.2.4 has, and a change shows as a failure of every test here. */
function innerKafkajs(): InnerKafkajs {
  const require = createRequire(import.meta.url);
  return {
    Cluster: require('kafkajs/src/cluster') as InnerKafkajs['Cluster'],
    createLogger: (require('kafkajs/src/loggers') as InnerKafkajs).createLogger,
    createSocketFactory: require('kafkajs/src/network/socketFactory') as InnerKafkajs['createSocketFactory'],
  };
}
