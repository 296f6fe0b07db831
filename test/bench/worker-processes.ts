import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver } from './delivered.js';
import { fillProduct } from './fill-queue.js';
import type { Comparison } from './report.js';
import { DEFAULT_CONCURRENCY, startWorker } from './start-workers.js';

const PROCESSES = [1, 2, 3];
/** By then all processes are up. */
const NOT_COUNTED = 0.3;
/** Of a receiver that is far away: slots are the limit, not the machine's cores. */
const SLOW_MS = 50;

/**
 * Delivered per second by the number of worker processes, beside one process in the same round. They share the
 * machine's cores with Redis and the receiver: on two cores little is left for a second one, unless the workers wait for
 * the receiver, as they mostly do.
 */
export async function benchWorkerProcesses(bench: Bench): Promise<Comparison[]> {
  return [...(await sweep(bench, 'fast receiver', 0)), ...(await sweep(bench, `${SLOW_MS} ms receiver`, SLOW_MS))];
}

async function sweep(bench: Bench, what: string, delayMs: number): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const tasks = size(bench, 30_000, 1_000);
  const receiver = await Receiver.start({ delayMs });
  const results = new Map(PROCESSES.map((processes) => [processes, [] as number[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [processes, values] of results) {
      await redis.flushall();
      await fillProduct(redisPort, { tasks, destination: receiver.destination });
      const start = () => Array.from({ length: processes }, () => startWorker(redisPort, DEFAULT_CONCURRENCY));
      values.push((await measureDelivered(bench, receiver, { tasks, from: tasks * NOT_COUNTED, start })).perSecond);
    }
  }
  await receiver.end();
  const one = { name: 'one process', values: results.get(1) ?? [] };
  return [...results].map(([processes, values]) => ({
    figure: `delivered/s, ${what}, ${processes} worker process${processes === 1 ? '' : 'es'}`,
    unit: '/s',
    product: { name: 'service', values },
    ...(processes === 1 ? {} : { baseline: one }),
  }));
}
