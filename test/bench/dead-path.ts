import { setTimeout as wait } from 'node:timers/promises';
import { size, type Bench } from './benchmark.js';
import { openProductQueue, taskOf } from './fill-queue.js';
import { percentile } from './percentile.js';
import { end, forkBench, message, whileRunning } from './process.js';
import type { DeadPathArrivals } from './receivers/dead-path.js';
import type { Comparison } from './report.js';
import { DEFAULT_CONCURRENCY, startWorker } from './start-workers.js';

const PATHS = 10;
const PER_SECOND = 200;
/** The worker is up and idle when the first is due. */
const LEAD_MS = 2_500;
/** Not counted: code that has never run is slow. */
const WARM_UP = 500;
const ARRIVED_WITHIN_MS = 60_000;
/** The last dead letters may still be on their way when the last healthy task has arrived. */
const DEAD_LETTERS_WITHIN_MS = 5_000;
/** The bar of lateness.ts: the dead path must cost nothing of it. */
const BAR_MS = 15;
/** A slow machine is late on both sides. */
const RATIO_OF_A_SLOW_MACHINE = 1.25;
/** A circuit opens after 30 failures in a row. Those of them that were in flight when it opened are sent again later. */
const FEWEST_DEAD_LETTERS = 20;

/**
 * 200 tasks due a second to ten paths of one host, one of which answers 503: how late the other nine are, beside the same with all ten well. A
 * task of the dead path has no retries, and its dead letter goes to the same host: they must get through.
 */
export async function benchDeadPath(bench: Bench): Promise<Comparison[]> {
  const sides = { dead: [] as DeadPathArrivals[], well: [] as DeadPathArrivals[] };
  for (let round = 0; round < bench.rounds; round += 1) {
    sides.dead.push(await measure(bench, true));
    sides.well.push(await measure(bench, false));
  }
  const late = (share: number, bar: Partial<Comparison> = {}): Comparison => ({
    figure: `one dead path among ten: the other nine, ${share === 0.5 ? 'p50' : 'p99'}`,
    unit: 'ms',
    product: { name: 'service', values: sides.dead.map(({ healthyMs }) => percentile(healthyMs, share)) },
    baseline: { name: 'all ten well', values: sides.well.map(({ healthyMs }) => percentile(healthyMs, share)) },
    ...bar,
  });
  return [
    late(0.5),
    late(0.99, { limit: BAR_MS, limitOrRatio: RATIO_OF_A_SLOW_MACHINE }),
    { figure: 'dead letters that arrived at that host', unit: '', product: { name: 'service', values: sides.dead.map(({ deadLetters }) => deadLetters) }, least: FEWEST_DEAD_LETTERS },
    { figure: 'sends to the dead path', unit: '', product: { name: 'service', values: sides.dead.map(({ toDeadPath }) => toDeadPath) }, baseline: { name: 'while it is well', values: sides.well.map(({ toDeadPath }) => toDeadPath) } },
  ];
}

async function measure(bench: Bench, isDead: boolean): Promise<DeadPathArrivals> {
  await bench.redis.flushall();
  const receiver = forkBench('receivers/dead-path.ts', [isDead ? 1 : 0]);
  const origin = await message<string>(receiver, 'origin');
  const queue = await openProductQueue(bench.redisPort);
  let count = 0;
  const submit = (path: string, dueAt: number): Promise<unknown> => {
    const task = taskOf({ tasks: 1, destination: () => ({ type: 'http', url: `${origin}${path}` }), body: () => JSON.stringify({ due: dueAt }), dueAt: () => dueAt }, (count += 1));
    return queue.submit({ ...task, deadDestination: { type: 'http', url: `${origin}/dead-letters` }, retryPolicy: { ...task.retryPolicy, maxRetries: 0 } });
  };
  const healthyPath = (nth: number): string => `/well-${nth % (PATHS - 1)}`;

  await expectHealthy(receiver, WARM_UP);
  const worker = startWorker(bench.redisPort, DEFAULT_CONCURRENCY);
  const isWarm = message<DeadPathArrivals>(receiver, 'done', ARRIVED_WITHIN_MS);
  await Promise.all(Array.from({ length: WARM_UP }, (_, nth) => submit(healthyPath(nth), Date.now())));
  await whileRunning([worker], isWarm);

  const rounds = (PER_SECOND / PATHS) * size(bench, 15, 1);
  await expectHealthy(receiver, rounds * (PATHS - 1));
  const done = message<DeadPathArrivals>(receiver, 'done', ARRIVED_WITHIN_MS);
  const startAt = Date.now() + LEAD_MS;
  const submitted: Promise<unknown>[] = [];
  for (let nth = 0; nth < rounds * PATHS; nth += 1) submitted.push(submit(nth % PATHS === 0 ? '/dead-path' : healthyPath(nth - Math.floor(nth / PATHS) - 1), startAt + (nth * 1_000) / PER_SECOND));
  await Promise.all(submitted);
  const { healthyMs } = await whileRunning([worker], done);
  if (isDead) await wait(bench.isQuick ? 0 : DEAD_LETTERS_WITHIN_MS);
  const report = message<DeadPathArrivals>(receiver, 'report');
  receiver.send({ report: true });
  const { toDeadPath, deadLetters } = await report;
  await Promise.all([worker, receiver].map((each) => end(each)));
  await queue.close();
  return { healthyMs, toDeadPath, deadLetters };
}

async function expectHealthy(receiver: ReturnType<typeof forkBench>, healthy: number): Promise<void> {
  receiver.send({ healthy });
  await message(receiver, 'ready');
}
