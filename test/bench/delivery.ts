import { openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { TaskQueue } from '../../shared/queue/task-queue.js';
import { end, forkBench, message, spawnProduct } from './process.js';
import type { Comparison } from './report.js';

const CONCURRENCY = 100;
const BODY = JSON.stringify({ order: 4711, text: 'x'.repeat(180) });

/**
 * Delivered per second through one worker process to a fast HTTP receiver, all due at once, beside a bare BullMQ
 * Worker + undici of the same concurrency. Measured at the receiver, from the first arrival to the last; tasks are in
 * Redis before the worker starts.
 */
export async function benchDelivery(redisPort: number, rounds: number, tasks: number): Promise<Comparison[]> {
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null });
  const receiver = forkBench('receiver.ts', []);
  const port = await message<number>(receiver, 'port');
  const url = `http://127.0.0.1:${port}/hook`;
  const logged: number[] = [];
  const quiet: number[] = [];
  const bare: number[] = [];
  const measure = async (start: () => ReturnType<typeof spawnProduct>): Promise<number> => {
    receiver.send({ expect: tasks });
    await message(receiver, 'ready');
    const worker = start();
    const { firstMs, lastMs, count } = await message<{ firstMs: number; lastMs: number; count: number }>(receiver, 'done');
    await end(worker);
    return (count - 1) / ((lastMs - firstMs) / 1000);
  };
  const product = async (level: 'info' | 'warn'): Promise<number> => {
    await redis.flushdb();
    await fillProduct(redis, url, tasks);
    // A file, as a container's log driver would give it: to nowhere would flatter the attempt line.
    const log = openSync(join(tmpdir(), `krs-bench-${process.pid}.log`), 'w');
    const env = { REDIS_ADDR: `127.0.0.1:${redisPort}`, WORKER_CONCURRENCY: String(CONCURRENCY), LOG_LEVEL: level };
    return measure(() => spawnProduct('workers', env, log));
  };
  for (let round = 0; round < rounds; round += 1) {
    logged.push(await product('info'));
    await redis.flushdb();
    await fillBare(redisPort, url, tasks);
    bare.push(await measure(() => forkBench('baselines/bare-worker.ts', [redisPort, 'bench', CONCURRENCY])));
    quiet.push(await product('warn'));
  }
  await end(receiver);
  redis.disconnect();
  const baseline = { name: 'bare BullMQ + undici', values: bare };
  return [
    { figure: 'delivered/s, one worker, attempt line logged', unit: '/s', product: { name: 'service', values: logged }, baseline, bar: 0.65 },
    { figure: 'delivered/s, one worker, LOG_LEVEL=warn', unit: '/s', product: { name: 'service', values: quiet }, baseline, bar: 0.65 },
  ];
}

async function fillProduct(redis: Redis, url: string, tasks: number): Promise<void> {
  const queue = new TaskQueue({ redis, prefix: 'bull', shards: 1, deadAttempts: 10, clock: Date.now });
  await queue.ready();
  for (let from = 0; from < tasks; from += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, tasks - from) }, (_, index) =>
      queue.submit({
        id: `bench-${from + index}`,
        source: 'bench',
        clientId: 'bench',
        destination: { type: 'http', url },
        deadDestination: { type: 'http', url },
        onExhausted: 'dead_letter',
        retryPolicy: { maxRetries: 3, initialDelayMs: 1, baseDelayMs: 1_000, maxDelayMs: 86_400_000, jitter: 'none' },
        isPriority: false,
        flowKey: undefined,
        messageData: BODY,
      }),
    );
    await Promise.all(batch);
  }
  await queue.close();
}

async function fillBare(redisPort: number, url: string, tasks: number): Promise<void> {
  const queue = new Queue('bare', { connection: { host: '127.0.0.1', port: redisPort }, prefix: 'bench' });
  for (let from = 0; from < tasks; from += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, tasks - from) }, (_, index) => ({
      name: 'task',
      data: { url, body: BODY },
      // A delay of 1 ms as in the product: both start from BullMQ's delayed set.
      opts: { jobId: `bench-${from + index}`, delay: 1 },
    }));
    await queue.addBulk(batch);
  }
  await queue.close();
}
