import kafkajs from 'kafkajs';
import { nextBatchLength } from '../../../workers/adapters/kafka/batch-rule.js';

/** The product's: what is measured is the way around kafkajs, not another batch size. */
const LIMITS = { maxBatchBytes: 512 * 1024, maxBatchMessages: 100 };

interface Waiting {
  readonly key: string;
  readonly value: string;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export type SendToKafka = (key: string, value: string) => Promise<void>;

/** kafkajs as it is, one producer and one topic of one partition, acks all; messages in flight share batches. */
export async function connectBatchingProducer(broker: string, topic: string): Promise<SendToKafka> {
  const producer = new kafkajs.Kafka({ clientId: 'bare', brokers: [broker], logLevel: kafkajs.logLevel.ERROR }).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let isScheduled = false;

  const pump = (): void => {
    isScheduled = false;
    for (;;) {
      const length = nextBatchLength(waiting, inFlight, LIMITS);
      if (length === 0) return;
      const batch = waiting.slice(0, length);
      waiting = waiting.slice(length);
      inFlight += 1;
      producer.send({ topic, acks: -1, messages: batch.map(({ key, value }) => ({ key, value })) }).then(
        () => {
          inFlight -= 1;
          for (const { resolve } of batch) resolve();
          pump();
        },
        (error: unknown) => {
          inFlight -= 1;
          for (const { reject } of batch) reject(error);
          pump();
        },
      );
    }
  };
  return (key, value) =>
    new Promise((resolve, reject) => {
      waiting.push({ key, value, bytes: key.length + value.length, resolve, reject });
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(pump);
    });
}
