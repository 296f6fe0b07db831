import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { residentMiB } from '../chaos/process-facts.js';
import { size, type Bench } from './benchmark.js';
import { Receiver } from './delivered.js';
import { openProductQueue, taskOf, type Filling } from './fill-queue.js';
import { percentile } from './percentile.js';
import { end, whileRunning } from './process.js';
import type { Comparison } from './report.js';
import { startApi } from './start-api.js';
import { DEFAULT_SLOTS, startWorker } from './start-workers.js';

const QUEUE = 'deliver-0';
const FAILED = `bull:${QUEUE}:failed`;
const MESSAGE = 'x'.repeat(1_000);
const COPIED_AT_ONCE = 1_000;
/** Another client asks for a task each so many ms. */
const ASKED_EVERY_MS = 20;
/** Before and behind the redrive, ms. */
const QUIET_MS = 5_000;
/** A script that is slower is written down by Redis, microseconds. */
const SLOW_US = 500;
const FAILS_WITHIN_MS = 60_000;

/** One dead letter becomes many: KEYS 1 its job, 2 failed. ARGV 1 what the ids begin with, 2 the first number, 3 the last one. */
const MULTIPLY = `
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
for nth = ARGV[2], ARGV[3] do
  local id = ARGV[1] .. '-' .. string.format('%d', nth)
  redis.call('COPY', KEYS[1], KEYS[1] .. '-' .. string.format('%d', nth))
  redis.call('ZADD', KEYS[2], score + math.floor(nth / 100), id)
end
`;

/**
 * Retry all of the board with 1,000,000 dead letters of 1 KB, and a client that asks for a task meanwhile. No worker runs: what is started
 * again only waits, so the figures are those of the redrive alone.
 */
export async function benchRetryAll(bench: Bench): Promise<Comparison[]> {
  const tasks = size(bench, 1_000_000, 5_000);
  const figures = { perSecond: [] as number[], quiet: [] as number[], meanwhile: [] as number[], grownMiB: [] as number[], scriptMs: [] as number[] };
  for (let round = 0; round < bench.rounds; round += 1) {
    await bench.redis.flushall();
    await fillDead(bench, tasks);
    const { child, port } = await startApi(bench.redisPort);
    const pid = child.pid ?? 0;
    const asking = new Asking(port);
    await whileRunning([child], wait(size(bench, QUIET_MS, 500)));
    figures.quiet.push(percentile(asking.take(), 99));
    const before = residentMiB(pid);
    await bench.redis.config('SET', 'slowlog-log-slower-than', SLOW_US);
    await bench.redis.slowlog('RESET');
    const startedMs = performance.now();
    const retried = await whileRunning([child], retryAll(port, () => asking.look(residentMiB(pid))));
    const seconds = (performance.now() - startedMs) / 1_000;
    if (retried !== tasks) throw new Error(`${retried} of ${tasks} dead letters were started again`);
    figures.perSecond.push(tasks / seconds);
    figures.meanwhile.push(percentile(asking.take(), 99));
    figures.grownMiB.push(asking.highest - before);
    figures.scriptMs.push(await longestScriptMs(bench));
    await bench.redis.config('SET', 'slowlog-log-slower-than', 10_000);
    await asking.end();
    await end(child);
  }
  const side = (values: number[]) => ({ name: `${tasks.toLocaleString('en-US')} dead letters`, values });
  return [
    { figure: 'started again/s by Retry all', unit: '/s', product: side(figures.perSecond) },
    { figure: 'GET /tasks/:id of another client meanwhile, p99', unit: 'ms', product: side(figures.meanwhile), baseline: { name: 'before it', values: figures.quiet }, limit: 100, limitOrRatio: 2 },
    { figure: 'memory that the API takes for it', unit: 'MiB', product: side(figures.grownMiB), limit: 64 },
    { figure: 'longest script of it', unit: 'ms', product: side(figures.scriptMs), limit: 20 },
  ];
}

/** A dead letter of the product itself, copied. */
async function fillDead(bench: Bench, tasks: number): Promise<void> {
  const { redis, redisPort } = bench;
  const receiver = await Receiver.start();
  const filling: Filling = { tasks: 1, destination: () => ({ type: 'http', url: 'http://127.0.0.1:9/hook' }), body: () => JSON.stringify(MESSAGE), name: 'dead' };
  const queue = await openProductQueue(redisPort);
  const task = taskOf(filling, 0);
  await queue.submit({ ...task, deadDestination: receiver.destination(0), retryPolicy: { ...task.retryPolicy, maxRetries: 0 } });
  await queue.close();
  const worker = startWorker(redisPort, DEFAULT_SLOTS);
  await whileRunning([worker], hasFailed(bench));
  await end(worker);
  await receiver.end();
  const [id = ''] = await redis.zrange(FAILED, '0', '0');
  for (let from = 1; from < tasks; from += COPIED_AT_ONCE) {
    await redis.eval(MULTIPLY, 2, `bull:${QUEUE}:${id}`, FAILED, id, String(from), String(Math.min(from + COPIED_AT_ONCE, tasks) - 1));
  }
}

async function hasFailed({ redis }: Bench): Promise<void> {
  const limitAt = performance.now() + FAILS_WITHIN_MS;
  while ((await redis.zcard(FAILED)) === 0) {
    if (performance.now() > limitAt) throw new Error('the first dead letter has not come');
    await wait(50);
  }
}

/** @param look called each second meanwhile. @returns how many were started again */
async function retryAll(port: number, look: () => void): Promise<number> {
  const looking = setInterval(look, 1_000);
  try {
    look();
    // fetch gives up when an answer has not begun after 5 minutes.
    const answer = await new Promise<string>((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', method: 'PUT', path: `/admin/queues/api/queues/${QUEUE}/retry/failed` }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () => resolve(Buffer.concat(chunks).toString()));
      });
      asked.once('error', reject);
      asked.end();
    });
    // The API's own answer; with another one the number is not that of the tasks.
    return (JSON.parse(answer) as { retried: number }).retried;
  } finally {
    clearInterval(looking);
  }
}

/** Another client, which asks for one task at an even pace. */
class Asking {
  #tookMs: number[] = [];
  #isOver = false;
  highest = 0;
  readonly #asking: Promise<void>;

  constructor(port: number) {
    this.#asking = this.#ask(`http://127.0.0.1:${port}/tasks/dead-0`);
  }

  /** What the requests took since the last call, ms. */
  take(): number[] {
    const taken = this.#tookMs;
    this.#tookMs = [];
    return taken;
  }

  look(residentMiB: number): void {
    this.highest = Math.max(this.highest, residentMiB);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#asking;
  }

  async #ask(url: string): Promise<void> {
    while (!this.#isOver) {
      const startedMs = performance.now();
      const { status } = await fetch(url).then(async (response) => (await response.arrayBuffer(), response));
      if (status !== 200) throw new Error(`GET /tasks/:id was answered with ${status}`);
      this.#tookMs.push(performance.now() - startedMs);
      await wait(ASKED_EVERY_MS);
    }
  }
}

async function longestScriptMs({ redis }: Bench): Promise<number> {
  // As Redis describes SLOWLOG.
  const entries = (await redis.slowlog('GET', 1_000)) as readonly (readonly [id: number, at: number, us: number, words: readonly string[]])[];
  return Math.max(0, ...entries.map(([, , us]) => us)) / 1_000;
}
