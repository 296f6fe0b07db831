import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../scripts/servers/free-port.mjs';
import { readProgress } from '../../shared/domain/task/attempt-record.js';
import type { Task } from '../../shared/domain/task/task.js';
import { Metrics } from '../../shared/telemetry/metrics.js';
import { submittedTraceOf } from '../../server/tasks/submitted-trace.js';
import type { Delivery } from '../../workers/delivery/deliver-task.js';
import { WorkerMetrics } from '../../workers/telemetry/worker-metrics.js';
import { domainTask } from '../support/tasks.js';
import { size, type Bench } from './benchmark.js';
import { Receiver } from './delivered.js';
import { fillProduct } from './fill-queue.js';
import { cpuTimeUs } from './process-cpu.js';
import { end, whileRunning } from './process.js';
import type { Comparison } from './report.js';
import { slotsForLoneEndpoint, startWorker, type ProductProcess } from './start-workers.js';

const SLOTS = slotsForLoneEndpoint(100);
/** By then the worker is up, and its code is compiled. */
const NOT_COUNTED = 0.25;
const SCRAPE_EVERY_MS = 1_000;
const COUNT_NOTHING = fileURLToPath(new URL('preload/count-nothing.mjs', import.meta.url));

interface Side {
  readonly name: string;
  /** It is scraped each second. */
  readonly isScraped?: boolean;
  readonly worker?: Pick<ProductProcess, 'env' | 'nodeArgs'>;
}

/**
 * What metrics and traces cost a delivery. Wall time of two runs differs by more than a percent on a quiet machine, so CPU of the worker is
 * compared, in turns; and because that too differs by about a percent, what counting takes is measured by itself as well.
 */
export async function benchTelemetry(bench: Bench): Promise<Comparison[]> {
  const collector = createServer((request, response) => {
    request.resume().once('end', () => response.end('{}'));
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  // A listening TCP server has no other kind of address.
  const { port } = collector.address() as AddressInfo;
  const sides = {
    counted: { name: 'metrics, scraped each second', isScraped: true },
    uncounted: { name: 'nothing counted', worker: { nodeArgs: [`--import=${COUNT_NOTHING}`] } },
    traced: { name: 'every attempt traced', worker: { env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` } } },
  } satisfies Record<string, Side>;
  const spent = { counted: [] as number[], uncounted: [] as number[], traced: [] as number[] };
  const counting: number[] = [];
  const shares: number[] = [];
  const untraced: number[] = [];
  const receiver = await Receiver.start();
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const side of Object.keys(spent) as (keyof typeof spent)[]) spent[side].push(await cpuUsPerDelivery(bench, receiver, sides[side]));
    const us = usOf(bench, countAttempt());
    counting.push(us);
    shares.push((us / (spent.uncounted[round] ?? NaN)) * 100);
    untraced.push(usOf(bench, readNoTrace()));
  }
  await receiver.end();
  collector.closeAllConnections();
  collector.close();
  const uncounted = { name: sides.uncounted.name, values: spent.uncounted };
  return [
    { figure: 'counting one attempt, by itself', unit: 'us', product: { name: 'service', values: counting } },
    { figure: 'counting one attempt, of the CPU of a worker for a delivery', unit: '%', product: { name: 'service', values: shares }, limit: 1 },
    { figure: `CPU of a worker per delivery, ${sides.counted.name}`, unit: 'us', product: { name: 'service', values: spent.counted }, baseline: uncounted },
    { figure: 'looking for a trace in a request without one, by itself', unit: 'us', product: { name: 'service', values: untraced }, limit: 1 },
    { figure: `CPU of a worker per delivery, ${sides.traced.name}`, unit: 'us', product: { name: 'service', values: spent.traced }, baseline: { name: 'tracing off', values: spent.counted } },
  ];
}

async function cpuUsPerDelivery(bench: Bench, receiver: Receiver, { isScraped = false, worker: { env = {}, nodeArgs = [] } = {} }: Side): Promise<number> {
  const { redis, redisPort } = bench;
  const tasks = size(bench, 30_000, 800);
  await redis.flushall();
  await fillProduct(redisPort, { tasks, destination: receiver.destination });
  const port = await freePort();
  const from = Math.round(tasks * NOT_COUNTED);
  const { done, reachedFrom } = await receiver.expect(tasks, { from });
  const worker = startWorker(redisPort, SLOTS, { nodeArgs, env: { ...env, ...(isScraped ? { WORKER_HTTP_PORT: String(port), HTTP_HOST: '127.0.0.1', AUTH: 'off' } : {}) } });
  await whileRunning([worker], reachedFrom);
  const before = cpuTimeUs(worker);
  const scraping = isScraped ? setInterval(() => void fetch(`http://127.0.0.1:${port}/metrics`).then((answer) => answer.text(), () => undefined), SCRAPE_EVERY_MS) : undefined;
  try {
    await whileRunning([worker], done);
    return (cpuTimeUs(worker) - before) / (tasks - from);
  } finally {
    clearInterval(scraping);
    await end(worker);
  }
}

/** CPU of one call, us: of the calling process, whatever else the machine does. */
function usOf(bench: Bench, call: () => void): number {
  const calls = size(bench, 2_000_000, 20_000);
  for (let nth = 0; nth < calls / 10; nth += 1) call();
  const before = process.cpuUsage();
  for (let nth = 0; nth < calls; nth += 1) call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

/** All that a worker counts of a delivery at the first attempt. */
function countAttempt(): () => void {
  const metrics = new WorkerMetrics(new Metrics('worker'));
  const task: Task = domainTask();
  const startedAt = Date.now();
  const receipt = { httpStatus: 200 };
  const delivery: Delivery = {
    outcome: { kind: 'delivered', receipt },
    task,
    progress: readProgress([], 1),
    result: { kind: 'delivered', receipt },
    startedAt,
    durationMs: 3,
    dueAt: startedAt - 2,
  };
  return () => { metrics.ended(delivery, [], startedAt - 1_000); };
}

function readNoTrace(): () => void {
  const request = { headers: { 'host': 'retry.example', 'content-type': 'application/json', 'content-length': '512' } };
  return () => { submittedTraceOf(request); };
}
