import type { Redis } from 'ioredis';
import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver } from './delivered.js';
import { fillProduct } from './fill-queue.js';
import { measureLateness, type Lateness } from './lateness.js';
import type { Comparison } from './report.js';
import { DEFAULT_SLOTS, startWorker } from './start-workers.js';

const LOOK_AGAIN_MS = 200;
const A_DAY_MS = 86_400_000;
const nowhere = { type: 'http', url: 'http://127.0.0.1:9/hook' } as const;

/** Two databases of one Redis: each has tables of its own, and rounds can be interleaved without filling again. */
const FULL = 0;
const EMPTY = 1;

interface Side {
  readonly createdPerSecond: number[];
  readonly deliveredPerSecond: number[];
  readonly lateness: Lateness[];
}

/**
 * With 1,000,000 waiting tasks, beside an empty queue in the same rounds: tasks created per second (by TaskQueue, 1,000
 * at a time), delivered per second, lateness at 100 due/s.
 */
export async function benchGrowth(bench: Bench): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const waiting = size(bench, 1_000_000, 20_000);
  const receiver = await Receiver.start();
  await redis.flushall();
  await fillProduct(redisPort, { tasks: waiting, destination: () => nowhere, dueAt: () => Date.now() + A_DAY_MS, name: 'waiting' });
  const sides = { full: newSide(), empty: newSide() };
  for (let round = 0; round < rounds; round += 1) {
    await measureRound(bench, receiver, FULL, round, sides.full);
    await measureRound(bench, receiver, EMPTY, round, sides.empty);
    // What the round has left there: the queue is empty again.
    await redis.select(EMPTY);
    await redis.flushdb();
    await redis.select(FULL);
  }
  await receiver.end();
  await redis.flushall();
  const { full, empty } = sides;
  const product = `${waiting.toLocaleString('en-US')} waiting`;
  const compare = (figure: string, unit: string, valuesOf: (side: Side) => number[], bar: Partial<Comparison>): Comparison => ({
    figure: `${figure}, ${product}`,
    unit,
    product: { name: product, values: valuesOf(full) },
    baseline: { name: 'empty queue', values: valuesOf(empty) },
    ...bar,
  });
  return [
    compare('created/s', '/s', ({ createdPerSecond }) => createdPerSecond, { bar: 0.8 }),
    compare('delivered/s', '/s', ({ deliveredPerSecond }) => deliveredPerSecond, { bar: 0.8 }),
    compare('lateness p50', 'ms', ({ lateness }) => lateness.map(({ p50 }) => p50), { highestRatio: 1.2 }),
    compare('lateness p99', 'ms', ({ lateness }) => lateness.map(({ p99 }) => p99), { highestRatio: 1.2 }),
  ];
}

function newSide(): Side {
  return { createdPerSecond: [], deliveredPerSecond: [], lateness: [] };
}

async function measureRound(bench: Bench, receiver: Receiver, db: number, round: number, side: Side): Promise<void> {
  const { redisPort } = bench;
  await rewritten(bench.redis);
  const created = size(bench, 20_000, 1_000);
  const startedMs = performance.now();
  await fillProduct(redisPort, { tasks: created, destination: () => nowhere, dueAt: () => Date.now() + A_DAY_MS, db, name: `created-${round}` });
  side.createdPerSecond.push(created / ((performance.now() - startedMs) / 1_000));

  const tasks = size(bench, 20_000, 1_000);
  await fillProduct(redisPort, { tasks, destination: receiver.destination, db, name: `due-${round}` });
  const start = () => startWorker(redisPort, DEFAULT_SLOTS, { db });
  side.deliveredPerSecond.push((await measureDelivered(bench, receiver, { tasks, start: () => [start()] })).perSecond);
  side.lateness.push(await measureLateness(bench, (filling) => fillProduct(redisPort, { ...filling, db }), start));
}

/** A Redis that was filled writes its append-only file anew, in a process that competes for the cores. */
async function rewritten(redis: Redis): Promise<void> {
  while (/aof_rewrite_(in_progress|scheduled):1/.test(await redis.info('persistence'))) {
    await new Promise((resolve) => { setTimeout(resolve, LOOK_AGAIN_MS); });
  }
}
