import type { ChildProcess } from 'node:child_process';
import kafkajs from 'kafkajs';
import { KafkaProbe, kafkaTestBroker } from '../support/kafka.js';
import { size, type Bench } from './benchmark.js';
import { fillBare, fillProduct } from './fill-queue.js';
import { end, forkBench, whileRunning } from './process.js';
import type { Comparison } from './report.js';
import { SMALL_BODY } from './small-body.js';
import { slotsForLoneEndpoint, startWorker } from './start-workers.js';

/** As in delivery.ts. */
const IN_FLIGHT = 100;
const SLOTS = slotsForLoneEndpoint(IN_FLIGHT);

const LOOK_EVERY_MS = 10;
const LIMIT_MS = 120_000;

/**
 * Messages per second that a real broker has acknowledged (acks all, one partition), from one worker process, beside a
 * bare BullMQ Worker + kafkajs with as many sends in flight and the same batch limits. Counted at the broker. Beside
 * kafkajs without any queue stands how far the queue is from the broker's limit; no bar, since no queue is no service.
 */
export async function benchKafka(bench: Bench): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const tasks = size(bench, 50_000, 1_000);
  const { host, port } = kafkaTestBroker();
  const broker = `${host}:${port}`;
  const probe = new KafkaProbe({ host, port });
  const fillingFor = (topic: string) => ({ tasks, destination: () => ({ type: 'kafka', topic, broker: undefined, key: undefined, headers: undefined }) as const });
  const product: number[] = [];
  const bareWorker: number[] = [];
  const bareKafkajs: number[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      // A topic each: offsets begin at 0.
      const topics = { product: await probe.createTopic(), bareWorker: await probe.createTopic(), bareKafkajs: await probe.createTopic() };
      await redis.flushall();
      await fillProduct(redisPort, fillingFor(topics.product));
      product.push(await measureAcknowledged(broker, topics.product, tasks, () => startWorker(redisPort, SLOTS, { env: { KAFKA_BROKERS: broker } })));
      await redis.flushall();
      await fillBare(redisPort, fillingFor(topics.bareWorker));
      const startBare = () => forkBench('baselines/bare-kafka-worker.ts', [redisPort, 'bench', IN_FLIGHT, broker, topics.bareWorker]);
      bareWorker.push(await measureAcknowledged(broker, topics.bareWorker, tasks, startBare));
      const startKafkajs = () => forkBench('baselines/bare-kafka.ts', [broker, topics.bareKafkajs, tasks, IN_FLIGHT, SMALL_BODY]);
      bareKafkajs.push(await measureAcknowledged(broker, topics.bareKafkajs, tasks, startKafkajs));
    }
  } finally {
    await probe.close();
  }
  const service = { name: 'service', values: product };
  const figure = 'delivered/s to Kafka, attempt line logged';
  return [
    { figure, unit: '/s', product: service, baseline: { name: 'bare BullMQ + kafkajs, same batches', values: bareWorker }, bar: 0.85 },
    { figure, unit: '/s', product: service, baseline: { name: 'kafkajs alone, same batches, no queue', values: bareKafkajs } },
  ];
}

/** Of one process that starts now and is ended after. */
async function measureAcknowledged(broker: string, topic: string, messages: number, start: () => ChildProcess): Promise<number> {
  const sender = start();
  try {
    const { count, seconds } = await whileRunning([sender], acknowledged(broker, topic, messages));
    return count / seconds;
  } finally {
    await end(sender);
  }
}

/** Resolves when the topic has all: how many came between the first look that found some and the first that found all. */
export async function acknowledged(broker: string, topic: string, messages: number): Promise<{ readonly count: number; readonly seconds: number }> {
  const admin = new kafkajs.Kafka({ clientId: 'bench', brokers: [broker], logLevel: kafkajs.logLevel.ERROR }).admin();
  await admin.connect();
  try {
    let first: { count: number; atMs: number } | undefined;
    for (const startedMs = performance.now(); performance.now() - startedMs < LIMIT_MS; ) {
      const [partition] = await admin.fetchTopicOffsets(topic);
      const seen = { count: Number(partition?.high ?? 0), atMs: performance.now() };
      if (seen.count > 0) first ??= seen;
      if (seen.count >= messages && first !== undefined) return { count: seen.count - first.count, seconds: (seen.atMs - first.atMs) / 1_000 };
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
    }
    throw new Error(`${topic} did not get its ${messages} messages within ${LIMIT_MS / 1_000} s`);
  } finally {
    await admin.disconnect();
  }
}
