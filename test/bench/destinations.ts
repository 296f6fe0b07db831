import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver, type Delivered } from './delivered.js';
import { fillBare, fillProduct } from './fill-queue.js';
import type { Comparison } from './report.js';
import { slotsForLoneEndpoint, startBareWorker, startWorker } from './start-workers.js';

/** Very many destinations get all slots together, so a bare worker with as many sends in flight is its equal. */
const IN_FLIGHT = 200;
const TASKS = 20_000;

/**
 * Delivered per second to 1,000 and to 10,000 distinct destinations in turn (a port each), beside a bare BullMQ Worker +
 * undici doing the same.
 */
export async function benchDestinations(bench: Bench): Promise<Comparison[]> {
  return [...await benchOrigins(bench, size(bench, 1_000, 20)), ...await benchOrigins(bench, size(bench, 10_000, 50), 0.65), ...await benchPaths(bench)];
}

/**
 * Delivered per second to 1,000 and to 50,000 paths of one origin, beside one path of it: what it costs to look at endpoints inside
 * their host. All have the slots with which one path has 100 sends in flight.
 */
async function benchPaths(bench: Bench): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const tasks = size(bench, 50_000, 500);
  const receiver = await Receiver.start();
  const { url } = receiver.destination(0);
  const measured = new Map([1, size(bench, 1_000, 20), size(bench, 50_000, 50)].map((paths) => [paths, { rates: [] as number[], cpu: [] as number[] }]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [paths, { rates, cpu }] of measured) {
      await redis.flushall();
      await fillProduct(redisPort, { tasks, destination: (nth) => ({ type: 'http', url: `${url}/${nth % paths}` }) });
      const { perSecond, workerUsPerTask } = await measureDelivered(bench, receiver, { tasks, start: () => [startWorker(redisPort, slotsForLoneEndpoint(100))] });
      rates.push(perSecond);
      cpu.push(workerUsPerTask);
    }
  }
  await receiver.end();
  const [onePath = { rates: [], cpu: [] }, ...many] = measured.values();
  return many.flatMap(({ rates, cpu }, nth) => {
    const paths = [...measured.keys()].at(nth + 1)?.toLocaleString('en-US') ?? '';
    return [
      { figure: `delivered/s to ${paths} paths of one host`, unit: '/s', product: { name: 'service', values: rates }, baseline: { name: 'one path', values: onePath.rates }, bar: 0.95 },
      { figure: `CPU of the worker for a task to one of ${paths} paths`, unit: 'us', product: { name: 'service', values: cpu }, baseline: { name: 'one path', values: onePath.cpu } },
    ];
  });
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
