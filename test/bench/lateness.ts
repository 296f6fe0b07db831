import type { ChildProcess } from 'node:child_process';
import { size, type Bench } from './benchmark.js';
import { expectArrivals } from './expect-arrivals.js';
import { fillBare, fillProduct, type Filling } from './fill-queue.js';
import { percentile } from './percentile.js';
import { end, forkBench, message, whileRunning } from './process.js';
import type { Arrivals, ReceiverUrls } from './receivers/neighbours.js';
import type { Comparison } from './report.js';
import { DEFAULT_SLOTS, startBareWorker, startWorker } from './start-workers.js';

const PER_SECOND = 100;
/** The worker is up and idle when the first is due. */
const LEAD_MS = 2_000;
/** Not counted: code that has never run is slow. */
const WARM_UP_SECONDS = 2;
/** Between those and the ones that count. */
const PAUSE_MS = 500;

/** Arrival at the receiver minus due time with 100 tasks due in each second, beside a bare BullMQ Worker. */
export async function benchLateness(bench: Bench): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const product: Lateness[] = [];
  const bare: Lateness[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await redis.flushall();
    product.push(await measureLateness(bench, (filling) => fillProduct(redisPort, filling), () => startWorker(redisPort, DEFAULT_SLOTS)));
    await redis.flushall();
    bare.push(await measureLateness(bench, (filling) => fillBare(redisPort, filling), () => startBareWorker(redisPort, DEFAULT_SLOTS)));
  }
  const compare = (what: 'p50' | 'p99', limit?: number): Comparison => ({
    figure: `lateness at ${PER_SECOND} due/s, ${what}`,
    unit: 'ms',
    product: { name: 'service', values: product.map((each) => each[what]) },
    baseline: { name: 'bare BullMQ', values: bare.map((each) => each[what]) },
    ...(limit === undefined ? {} : { limit }),
  });
  return [compare('p50'), compare('p99', 15)];
}

/** Milliseconds. */
export interface Lateness {
  readonly p50: number;
  readonly p99: number;
}

export async function measureLateness(bench: Bench, fill: (filling: Filling) => Promise<void>, start: () => ChildProcess): Promise<Lateness> {
  const tasks = PER_SECOND * size(bench, 10, 1);
  const warmUp = PER_SECOND * size(bench, WARM_UP_SECONDS, 1);
  const receiver = forkBench('receivers/neighbours.ts', []);
  const { fast: url } = await message<ReceiverUrls>(receiver, 'urls');
  await expectArrivals(receiver, { fast: warmUp, slow: 0 });
  const startAt = Date.now() + LEAD_MS;
  const dueAt = (nth: number): number => startAt + (nth * 1_000) / PER_SECOND + (nth < warmUp ? 0 : PAUSE_MS);
  const destination = { type: 'http', url } as const;
  await fill({ tasks: warmUp + tasks, destination: () => destination, dueAt, body: (nth) => JSON.stringify({ due: dueAt(nth) }), name: `late-${startAt}` });
  const isWarm = message<Arrivals>(receiver, 'done');
  const worker = start();
  await whileRunning([worker], isWarm);
  await expectArrivals(receiver, { fast: tasks, slow: 0 });
  const { fastMs } = await whileRunning([worker], message<Arrivals>(receiver, 'done'));
  await end(worker);
  await end(receiver);
  return { p50: percentile(fastMs, 0.5), p99: percentile(fastMs, 0.99) };
}
