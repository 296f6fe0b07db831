import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver, type Delivered } from './delivered.js';
import { fillBare, fillProduct } from './fill-queue.js';
import type { Comparison } from './report.js';
import { startBareWorker, startWorker } from './start-workers.js';

/** Very many destinations get all slots together, so a bare worker with as many sends in flight is its equal. */
const IN_FLIGHT = 200;
const TASKS = 20_000;

/**
 * Delivered per second to 1,000 and to 10,000 distinct destinations in turn (a port each), beside a bare BullMQ Worker +
 * undici doing the same.
 */
export async function benchDestinations(bench: Bench): Promise<Comparison[]> {
  return [...await benchOrigins(bench, size(bench, 1_000, 20)), ...await benchOrigins(bench, size(bench, 10_000, 50), 0.65)];
}

async function benchOrigins(bench: Bench, origins: number, bar?: number): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const tasks = size(bench, TASKS, 500);
  const receiver = await Receiver.start({ origins });
  const filling = { tasks, destination: receiver.destination };
  const product: Delivered[] = [];
  const bare: Delivered[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await redis.flushall();
    await fillProduct(redisPort, filling);
    product.push(await measureDelivered(bench, receiver, { tasks, start: () => [startWorker(redisPort, IN_FLIGHT)] }));
    await redis.flushall();
    await fillBare(redisPort, filling);
    bare.push(await measureDelivered(bench, receiver, { tasks, start: () => [startBareWorker(redisPort, IN_FLIGHT)] }));
  }
  await receiver.end();
  const to = `${origins.toLocaleString('en-US')} destinations`;
  const name = 'bare BullMQ + undici';
  return [
    { figure: `delivered/s to ${to}`, unit: '/s', product: { name: 'service', values: product.map(({ perSecond }) => perSecond) }, baseline: { name, values: bare.map(({ perSecond }) => perSecond) }, ...(bar === undefined ? {} : { bar }) },
    { figure: `most memory of the worker, ${to}`, unit: 'MiB', product: { name: 'service', values: product.map(({ workerPeakMiB }) => workerPeakMiB) }, baseline: { name, values: bare.map(({ workerPeakMiB }) => workerPeakMiB) } },
  ];
}
