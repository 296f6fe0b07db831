import { size, type Bench } from './benchmark.js';
import { fillProduct, openBareQueue, taskOf, type Filling } from './fill-queue.js';
import { usedMemoryBytes } from './redis-readings.js';
import type { Comparison } from './report.js';
import { httpTask } from '../support/tasks.js';

const MESSAGE = 'm'.repeat(1_024);
const AN_HOUR_MS = 3_600_000;
const LIMIT_BYTES = 2_200;

/**
 * Redis memory per waiting task with a message of 1 KB, beside a bare queue.add of the same task as a client writes it.
 */
export async function benchWaitingMemory({ redisPort, redis, rounds, isQuick }: Bench): Promise<Comparison[]> {
  const tasks = size({ isQuick }, 100_000, 2_000);
  const destination = { type: 'http', url: 'http://127.0.0.1:9/hook' } as const;
  const filling: Filling = { tasks, destination: () => destination, body: () => MESSAGE, dueAt: () => Date.now() + AN_HOUR_MS };
  const measure = async (fill: () => Promise<void>): Promise<number> => {
    await redis.flushall();
    const before = await usedMemoryBytes(redis);
    await fill();
    return ((await usedMemoryBytes(redis)) - before) / tasks;
  };
  const product: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    product.push(await measure(() => fillProduct(redisPort, filling)));
    bare.push(await measure(() => fillAsWritten(redisPort, filling)));
  }
  return [
    {
      figure: 'Redis memory per waiting task, 1 KB message',
      unit: 'bytes',
      product: { name: 'service', values: product },
      baseline: { name: 'bare queue.add of the request body', values: bare },
      limit: LIMIT_BYTES,
    },
  ];
}

async function fillAsWritten(redisPort: number, filling: Filling): Promise<void> {
  const queue = openBareQueue(redisPort);
  for (let from = 0; from < filling.tasks; from += 1_000) {
    await Promise.all(
      Array.from({ length: Math.min(1_000, filling.tasks - from) }, (_, index) => {
        const { id } = taskOf(filling, from + index);
        return queue.add('task', httpTask('http://127.0.0.1:9/hook', { id, message_data: MESSAGE }), { jobId: id, delay: AN_HOUR_MS });
      }),
    );
  }
  await queue.close();
}
