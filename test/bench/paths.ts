import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { olderVersion } from '../support/older-version.js';
import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver } from './delivered.js';
import type * as FillQueue from './fill-queue.js';
import { fillProduct } from './fill-queue.js';
import type { Comparison } from './report.js';
import { slotsForLoneEndpoint, startWorker } from './start-workers.js';

/** The last commit whose workers were fair among origins alone, and knew no endpoint. */
const WITHOUT_ENDPOINTS = '89f40f75e825cd383d806588a8b6380d8237a7e3';
/** It gave a lone origin half of the slots. */
const SLOTS_WITHOUT_ENDPOINTS = 200;
const PATHS = [1, 1_000, 50_000];
/** Deliveries before time counts, as in delivery.ts: a worker runs for weeks, and how long two versions compile would be measured otherwise. */
const WARM_UP = 20_000;

/**
 * Delivered per second to one, 1,000 and 50,000 paths of one origin, beside the version before endpoints doing the same: what healthy tasks
 * pay for the second level. Both have 100 sends in flight. Each fills the queue by its own submission.
 */
export async function benchPaths(bench: Bench): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const from = size(bench, WARM_UP, 100);
  const tasks = from + size(bench, 50_000, 500);
  const folder = await olderVersion(WITHOUT_ENDPOINTS);
  // The same file of that version.
  const { fillProduct: fillOlder } = (await import(pathToFileURL(join(folder, 'test/bench/fill-queue.ts')).href)) as Pick<typeof FillQueue, 'fillProduct'>;
  const sides = [
    { fill: fillProduct, start: () => [startWorker(redisPort, slotsForLoneEndpoint(100))] },
    { fill: fillOlder, start: () => [startWorker(redisPort, SLOTS_WITHOUT_ENDPOINTS, { folder })] },
  ];
  const receiver = await Receiver.start();
  const { url } = receiver.destination(0);
  const results = PATHS.map((paths) => ({ paths: size(bench, paths, Math.min(paths, 50)), rates: sides.map(() => [] as number[]), cpu: sides.map(() => [] as number[]) }));
  for (let round = 0; round < rounds; round += 1) {
    for (const { paths, rates, cpu } of results) {
      for (const [nth, { fill, start }] of sides.entries()) {
        await redis.flushall();
        await fill(redisPort, { tasks, destination: (task) => ({ type: 'http', url: `${url}/${task % paths}` }) });
        const { perSecond, workerUsPerTask } = await measureDelivered(bench, receiver, { tasks, from, start });
        rates[nth]?.push(perSecond);
        cpu[nth]?.push(workerUsPerTask);
      }
    }
  }
  await receiver.end();
  return results.flatMap(({ paths, rates: [ours = [], before = []], cpu: [ourCpu = [], cpuBefore = []] }) => {
    const to = paths === 1 ? 'one path' : `${paths.toLocaleString('en-US')} paths of one host`;
    const name = 'before endpoints';
    return [
      { figure: `delivered/s to ${to}`, unit: '/s', product: { name: 'service', values: ours }, baseline: { name, values: before }, bar: 0.95 },
      { figure: `CPU of the worker for a task to ${to}`, unit: 'us', product: { name: 'service', values: ourCpu }, baseline: { name, values: cpuBefore } },
    ];
  });
}
