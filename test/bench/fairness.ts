import { openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Task } from '../../shared/domain/task.js';
import { TaskQueue } from '../../shared/queue/task-queue.js';
import type { Arrivals } from './neighbours.js';
import { end, forkBench, message, spawnProduct } from './process.js';

/** One noisy neighbourhood: slow tasks wait in Redis before the worker starts, fast ones come behind or meanwhile. */
interface Scenario {
  readonly name: string;
  readonly slowOrigins: number;
  readonly slowTasksEach: number;
  readonly slowMs: number;
  /** Due with the slow ones, but behind them. */
  readonly fastAtOnce: number;
  readonly fastPerSecond: number;
  readonly seconds: number;
  /** Limit for the 99th percentile of arrival - due of the fast ones, milliseconds. */
  readonly barMs: number;
}

export const scenarios: readonly Scenario[] = [
  { name: 'S1', slowOrigins: 1, slowTasksEach: 200, slowMs: 5_000, fastAtOnce: 1_000, fastPerSecond: 0, seconds: 0, barMs: 500 },
  { name: 'S2', slowOrigins: 1, slowTasksEach: 5_000, slowMs: 5_000, fastAtOnce: 0, fastPerSecond: 500, seconds: 30, barMs: 1_000 },
  { name: 'S3', slowOrigins: 20, slowTasksEach: 100, slowMs: 5_000, fastAtOnce: 0, fastPerSecond: 300, seconds: 15, barMs: 500 },
];

export interface Fairness {
  readonly name: string;
  readonly fastP50Ms: number;
  readonly fastP99Ms: number;
  /** From the start until the last slow task was answered, seconds. */
  readonly slowLastS: number;
  readonly barMs: number;
}

/** Runs a scenario once, against one worker process of the product as built. */
export async function measureFairness(redisPort: number, scenario: Scenario, env: Readonly<Record<string, string>> = {}): Promise<Fairness> {
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null });
  await redis.flushdb();
  const receivers = forkBench('neighbours.ts', [scenario.slowOrigins, scenario.slowMs]);
  const [fastPort = 0, ...slowPorts] = await message<number[]>(receivers, 'ports');
  receivers.send({ fast: scenario.fastAtOnce + scenario.fastPerSecond * scenario.seconds, slow: scenario.slowOrigins * scenario.slowTasksEach });
  await message(receivers, 'ready');
  const queue = new TaskQueue({ redis, prefix: 'bull', shards: 1, deadAttempts: 10, clock: Date.now });
  await queue.ready();
  let count = 0;
  const submit = (port: number, due: number): Promise<unknown> => queue.submit(taskTo(port, count++, due));

  const startAt = Date.now() + 3_000;
  for (let nth = 0; nth < scenario.slowTasksEach; nth += 100) {
    const each = Math.min(100, scenario.slowTasksEach - nth);
    // All origins' tasks mixed, as they would come.
    await Promise.all(Array.from({ length: each }, () => slowPorts.map((port) => submit(port, startAt))).flat());
  }
  await Promise.all(Array.from({ length: scenario.fastAtOnce }, () => submit(fastPort, startAt)));
  const log = openSync(join(tmpdir(), `krs-bench-${process.pid}.log`), 'w');
  const worker = spawnProduct('workers', { REDIS_ADDR: `127.0.0.1:${redisPort}`, ...env }, log);
  while (Date.now() < startAt) await new Promise((resolve) => { setTimeout(resolve, 5); });
  const done = message<Arrivals>(receivers, 'done');
  await feed(scenario, () => submit(fastPort, Date.now()));
  const { fastMs, slowLastAt } = await done;
  await end(worker);
  await end(receivers);
  await queue.close();
  redis.disconnect();
  const at = (share: number): number => fastMs[Math.min(fastMs.length - 1, Math.floor(fastMs.length * share))] ?? NaN;
  return { name: scenario.name, fastP50Ms: at(0.5), fastP99Ms: at(0.99), slowLastS: (slowLastAt - startAt) / 1_000, barMs: scenario.barMs };
}

/** Submits at an even pace, catching up when a timer was late. */
async function feed({ fastPerSecond, seconds }: Scenario, submit: () => Promise<unknown>): Promise<void> {
  const total = fastPerSecond * seconds;
  const startedAt = performance.now();
  const underWay: Promise<unknown>[] = [];
  while (underWay.length < total) {
    const behind = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * fastPerSecond)) - underWay.length;
    for (let nth = 0; nth < behind; nth += 1) underWay.push(submit());
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
  await Promise.all(underWay);
}

function taskTo(port: number, nth: number, due: number): Task {
  const destination = { type: 'http', url: `http://127.0.0.1:${port}/hook` } as const;
  return {
    id: `bench-${nth}`,
    source: 'bench',
    clientId: 'bench',
    destination,
    deadDestination: destination,
    onExhausted: 'dead_letter',
    retryPolicy: { maxRetries: 3, initialDelayMs: Math.max(1, due - Date.now()), baseDelayMs: 1_000, maxDelayMs: 86_400_000, jitter: 'none' },
    isPriority: false,
    flowKey: undefined,
    messageData: JSON.stringify({ due }),
  };
}
