import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver, type Delivered } from './delivered.js';
import { fillBare, fillProduct } from './fill-queue.js';
import type { Comparison } from './report.js';
import { slotsForLoneEndpoint, startBareWorker, startWorker } from './start-workers.js';

/**
 * The same number of sends in flight on both sides. WORKER_CONCURRENCY counts slots, and one endpoint alone gets 3/7 of
 * them.
 */
const IN_FLIGHT = 100;
const SLOTS = slotsForLoneEndpoint(IN_FLIGHT);
/** Deliveries before time counts: a worker runs for weeks, and two cold compilers would be measured otherwise. */
const WARM_UP = 20_000;

/**
 * Delivered per second through one worker process to one fast HTTP receiver, all due at once, beside a bare BullMQ
 * Worker + undici with as many sends in flight. Measured at the receiver, from the arrival that ends the warm-up of both sides to the last. In the
 * same runs: what a delivery costs Redis.
 */
export async function benchDelivery(bench: Bench): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const from = size(bench, WARM_UP, 200);
  const tasks = from + size(bench, 50_000, 1_000);
  const receiver = await Receiver.start();
  const filling = { tasks, destination: receiver.destination };
  const logged: Delivered[] = [];
  const quiet: Delivered[] = [];
  const bare: Delivered[] = [];
  const product = async (level: 'info' | 'warn'): Promise<Delivered> => {
    await redis.flushall();
    await fillProduct(redisPort, filling);
    return measureDelivered(bench, receiver, { tasks, from, start: () => [startWorker(redisPort, SLOTS, { env: { LOG_LEVEL: level } })] });
  };
  for (let round = 0; round < rounds; round += 1) {
    logged.push(await product('info'));
    await redis.flushall();
    await fillBare(redisPort, filling);
    bare.push(await measureDelivered(bench, receiver, { tasks, from, start: () => [startBareWorker(redisPort, IN_FLIGHT)] }));
    quiet.push(await product('warn'));
  }
  await receiver.end();
  const rates = (runs: readonly Delivered[]): number[] => runs.map(({ perSecond }) => perSecond);
  const costs = (runs: readonly Delivered[]): number[] => runs.map(({ redisUsPerTask }) => redisUsPerTask);
  const name = 'bare BullMQ + undici';
  return [
    { figure: 'delivered/s, attempt line logged', unit: '/s', product: { name: 'service', values: rates(logged) }, baseline: { name, values: rates(bare) }, bar: 0.85 },
    { figure: 'delivered/s, LOG_LEVEL=warn', unit: '/s', product: { name: 'service', values: rates(quiet) }, baseline: { name, values: rates(bare) }, bar: 0.9 },
    { figure: 'Redis CPU per delivered task', unit: 'us', product: { name: 'service', values: costs(logged) }, baseline: { name, values: costs(bare) } },
  ];
}
