import { freePort } from '../../scripts/servers/free-port.mjs';
import { Scrape } from '../support/scrape.js';
import { size, type Bench } from './benchmark.js';
import { Receiver } from './delivered.js';
import { fillProduct } from './fill-queue.js';
import { end, spawnProduct, whileRunning } from './process.js';
import { redisCpuUs, usedMemoryBytes } from './redis-readings.js';
import type { Comparison } from './report.js';
import { sizingPlan, type Costs, type Load } from './sizing-plan.js';
import { DEFAULT_CONCURRENCY, startWorker } from './start-workers.js';
import { portFromLog } from './start-api.js';
import { runLoad } from './submission.js';

const CONNECTIONS = 32;
/** Until its code is compiled, a process takes several times as long. */
const NOT_COUNTED = 0.4;
const AN_HOUR_MS = 3_600_000;
const DEFAULT_BYTES = 1_024;
const KIB = 1_024;

/** Loads that are planned for where the reader names none. */
const EXAMPLES: readonly Load[] = [
  { perSecond: 100, latencyMs: 50, waiting: 100_000 },
  { perSecond: 1_000, latencyMs: 50, waiting: 1_000_000 },
  { perSecond: 1_000, latencyMs: 5_000, waiting: 1_000_000 },
  { perSecond: 10_000, latencyMs: 50, waiting: 10_000_000 },
];

/**
 * CPU and memory of one task on this machine, and from it how many processes and shards a load needs. CPU, not tasks a second: here all
 * processes share the cores, where they will run they may not.
 */
export async function benchSizing(bench: Bench): Promise<Comparison[]> {
  const { messageBytes = DEFAULT_BYTES, ...wanted } = bench.sizing ?? {};
  const bare = await measure(bench, 200);
  const costs = await measure(bench, messageBytes);
  const [first = { perSecond: 100, latencyMs: 50, waiting: 100_000 }] = EXAMPLES;
  const loads = Object.keys(wanted).length === 0 ? EXAMPLES : [{ ...first, ...wanted }];
  console.log(printPlan(costs, messageBytes, loads));
  const figure = (name: string, unit: string, value: number): Comparison => ({ figure: name, unit, product: { name: 'service', values: [value] } });
  return ([['200 bytes', bare], [`${messageBytes} bytes`, costs]] as const).flatMap(([what, each]) => [
    figure(`CPU of the API for a submission, message of ${what}`, 'us', each.apiUs),
    figure(`CPU of a worker for a delivery, message of ${what}`, 'us', each.workerUs),
    figure(`CPU of Redis for both, message of ${what}`, 'us', each.redisUs),
    figure(`Redis memory of a waiting task, message of ${what}`, 'bytes', each.taskBytes),
  ]);
}

async function measure(bench: Bench, messageBytes: number): Promise<Costs> {
  const { taskBytes } = await measureMemory(bench, messageBytes);
  const submitted = await measureSubmissions(bench, messageBytes);
  const delivered = await measureDeliveries(bench, messageBytes);
  return { apiUs: submitted.ownUs, workerUs: delivered.ownUs, redisUs: submitted.redisUs + delivered.redisUs, taskBytes };
}

async function measureMemory({ redis, redisPort, isQuick }: Bench, messageBytes: number): Promise<{ readonly taskBytes: number }> {
  await redis.flushall();
  const tasks = size({ isQuick }, 20_000, 500);
  const before = await usedMemoryBytes(redis);
  const body = 'm'.repeat(messageBytes);
  await fillProduct(redisPort, { tasks, destination: () => ({ type: 'http', url: 'http://127.0.0.1:9/hook' }), body: () => body, dueAt: () => Date.now() + AN_HOUR_MS });
  return { taskBytes: ((await usedMemoryBytes(redis)) - before) / tasks };
}

interface Spent {
  readonly ownUs: number;
  readonly redisUs: number;
}

async function measureSubmissions({ redis, redisPort, isQuick }: Bench, messageBytes: number): Promise<Spent> {
  await redis.flushall();
  const requests = size({ isQuick }, 12_000, 400);
  const api = spawnProduct('server', { REDIS_ADDR: `127.0.0.1:${redisPort}`, HTTP_PORT: '0', HTTP_HOST: '127.0.0.1' }, 'pipe');
  const port = await portFromLog(api);
  await runLoad({ port, connections: CONNECTIONS, requests: Math.ceil(requests * NOT_COUNTED), round: 1, messageBytes });
  const before = [await cpuUs(port), await redisCpuUs(redis)] as const;
  await runLoad({ port, connections: CONNECTIONS, requests, round: 2, messageBytes });
  const spent = { ownUs: ((await cpuUs(port)) - before[0]) / requests, redisUs: ((await redisCpuUs(redis)) - before[1]) / requests };
  await end(api);
  return spent;
}

async function measureDeliveries(bench: Bench, messageBytes: number): Promise<Spent> {
  const { redis, redisPort } = bench;
  await redis.flushall();
  const tasks = size(bench, 20_000, 800);
  const from = tasks * NOT_COUNTED;
  const receiver = await Receiver.start();
  const body = 'm'.repeat(messageBytes);
  await fillProduct(redisPort, { tasks, destination: receiver.destination, body: () => body });
  const port = await freePort();
  const { done, reachedFrom } = await receiver.expect(tasks, { from });
  const worker = startWorker(redisPort, DEFAULT_CONCURRENCY, { env: { WORKER_HTTP_PORT: String(port), HTTP_HOST: '127.0.0.1', AUTH: 'off' } });
  await whileRunning([worker], reachedFrom);
  const before = [await cpuUs(port), await redisCpuUs(redis), await deliveredBy(port)] as const;
  await whileRunning([worker], done);
  const after = [await cpuUs(port), await redisCpuUs(redis), await deliveredBy(port)] as const;
  await end(worker);
  await receiver.end();
  const counted = after[2] - before[2];
  return { ownUs: (after[0] - before[0]) / counted, redisUs: (after[1] - before[1]) / counted };
}

async function cpuUs(port: number): Promise<number> {
  return (await scrape(port)).sum('process_cpu_seconds_total') * 1_000_000;
}

async function deliveredBy(port: number): Promise<number> {
  return (await scrape(port)).sum('kafka_retry_tasks_processed_total');
}

async function scrape(port: number): Promise<Scrape> {
  return new Scrape(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
}

function printPlan(costs: Costs, messageBytes: number, loads: readonly Load[]): string {
  const head = ['tasks/s', 'answer after', 'waiting at once', 'sends at once', 'API processes', 'workers', 'WORKER_CONCURRENCY', 'Redis shards', 'maxmemory, all shards'];
  const rows = loads.map((load) => {
    const { apis, workers, concurrency, shards, inFlight, maxmemory } = sizingPlan(costs, load);
    return [load.perSecond.toLocaleString('en-US'), `${load.latencyMs} ms`, load.waiting.toLocaleString('en-US'), inFlight.toLocaleString('en-US'), apis, workers, typeof concurrency === 'number' ? concurrency.toLocaleString('en-US') : concurrency, shards, printBytes(maxmemory)].map(String);
  });
  const table = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
  return `\nWith messages of ${messageBytes} bytes, by what a task costs here (docs/SIZING.md says how it is reckoned, and what it leaves out):\n\n${table}\n`;
}

function printBytes(bytes: number): string {
  const [unit, factor] = bytes >= KIB ** 3 ? (['GiB', KIB ** 3] as const) : (['MiB', KIB ** 2] as const);
  return `${(bytes / factor).toFixed(1)} ${unit}`;
}
