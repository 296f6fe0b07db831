import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver, type Delivered } from './delivered.js';
import { fillProduct } from './fill-queue.js';
import { commandReadings } from './redis-readings.js';
import type { Comparison } from './report.js';
import { DEFAULT_SLOTS, startWorker } from './start-workers.js';

const SLOTS = [25, 50, 100, 200, 500, 1_000];
/** So many destinations get nearly all slots together. */
const ORIGINS = 20;
const SLOW_MS = 50;
/** How long the fewest slots may take with the slow receiver. */
const SLOW_SECONDS = 4;

interface Run extends Delivered {
  /** Microseconds of one LREM: BullMQ takes each job that ends out of the list of running ones. */
  readonly lremUs: number;
}

/**
 * Delivered per second, and Redis CPU per task, by WORKER_CONCURRENCY, with a receiver that answers at once and one that
 * takes 50 ms, beside the default in the same round. Few slots wait for a slow receiver; many make BullMQ search a long
 * list of active jobs at every end of a job.
 */
export async function benchSlots(bench: Bench): Promise<Comparison[]> {
  return [...(await sweep(bench, 0)), ...(await sweep(bench, SLOW_MS))];
}

async function sweep(bench: Bench, delayMs: number): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const receiver = await Receiver.start({ origins: ORIGINS, delayMs });
  const results = new Map([...new Set([...SLOTS, DEFAULT_SLOTS])].sort((a, b) => a - b).map((slots) => [slots, [] as Run[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [slots, values] of results) {
      const most = size(bench, 15_000, 400);
      const tasks = delayMs === 0 ? most : Math.min(most, (slots / delayMs) * 1_000 * SLOW_SECONDS);
      await redis.flushall();
      await fillProduct(redisPort, { tasks, destination: receiver.destination });
      await redis.config('RESETSTAT');
      const delivered = await measureDelivered(bench, receiver, { tasks, start: () => [startWorker(redisPort, slots)] });
      const lrem = (await commandReadings(redis)).find(({ command }) => command === 'lrem');
      values.push({ ...delivered, lremUs: lrem === undefined ? 0 : lrem.us / lrem.calls });
    }
  }
  await receiver.end();
  const what = delayMs === 0 ? 'fast receiver' : `${delayMs} ms receiver`;
  const compare = (title: string, unit: string, valueOf: (run: Run) => number): Comparison[] =>
    [...results].map(([slots, runs]) => ({
      figure: `${title}, ${what}, ${slots} slots`,
      unit,
      product: { name: 'service', values: runs.map(valueOf) },
      ...(slots === DEFAULT_SLOTS ? {} : { baseline: { name: `${DEFAULT_SLOTS} slots (default)`, values: (results.get(DEFAULT_SLOTS) ?? []).map(valueOf) } }),
    }));
  return [...compare('delivered/s', '/s', ({ perSecond }) => perSecond), ...compare('Redis CPU per task', 'us', ({ redisUsPerTask }) => redisUsPerTask), ...compare('Redis time of one LREM', 'us', ({ lremUs }) => lremUs)];
}
