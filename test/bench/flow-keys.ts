import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { size, type Bench } from './benchmark.js';
import { Receiver } from './delivered.js';
import { expectArrivals } from './expect-arrivals.js';
import { openProductQueue, taskOf, type ProductQueue } from './fill-queue.js';
import { end, forkBench, message, whileRunning } from './process.js';
import type { Arrivals, ReceiverUrls } from './receivers/neighbours.js';
import type { Comparison } from './report.js';
import { DEFAULT_CONCURRENCY, startWorker } from './start-workers.js';

/** A task to another destination is submitted each so many ms. */
const INNOCENT_EVERY_MS = 100;
const SUBMITTED_AT_ONCE = 1_000;
/** Tasks to another destination before all that: the worker is up, and its code has run. */
const WARM_UP = 20;
/** After the last one was put back, ms: how the waiting ones are to live with. */
const STANDING_MS = 5_000;
const PUT_BACK_LIMIT_MS = 300_000;
const A_DAY_MS = 86_400_000;
const DELAYED = 'bull:deliver-0:delayed';
/** Arrivals that the rate after the resume is measured by. The first ones are left out: sends begin slowly after a pause. */
const DRAINED = 50_000;
const DRAINED_FROM = 2_000;

/** What one side measures. Lengths are in milliseconds. */
interface Side {
  /** The longest that another destination's task took while the tasks of the paused one were put back. */
  readonly whilePutBackMs: number;
  /** The same while all of them waited. */
  readonly whileWaitingMs: number;
  readonly drainedPerSecond: number;
}

/**
 * 1,000,000 tasks of one paused destination that are due at once, with a flow_key each, beside the same without flow_keys: how long tasks
 * to another destination take meanwhile, and how fast the tasks arrive after the resume.
 */
export async function benchFlowKeys(bench: Bench): Promise<Comparison[]> {
  const tasks = size(bench, 1_000_000, 3_000);
  const withKeys: Side[] = [];
  const without: Side[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    withKeys.push(await measureFlowKeys(bench, tasks, true));
    without.push(await measureFlowKeys(bench, tasks, false));
  }
  const compare = (figure: string, unit: string, what: keyof Side, bar: Partial<Comparison>): Comparison => ({
    figure: `${tasks.toLocaleString('en-US')} paused tasks: ${figure}`,
    unit,
    product: { name: 'a flow_key each', values: withKeys.map((side) => side[what]) },
    baseline: { name: 'no flow_key', values: without.map((side) => side[what]) },
    ...bar,
  });
  return [
    compare('slowest task to another destination while they are put back', 'ms', 'whilePutBackMs', { limit: 1_000 }),
    compare('the same while they wait', 'ms', 'whileWaitingMs', { limit: 1_000 }),
    compare('delivered/s after the resume', '/s', 'drainedPerSecond', { bar: 0.5 }),
  ];
}

export async function measureFlowKeys(bench: Bench, tasks: number, hasKeys: boolean): Promise<Side> {
  const { redisPort, redis } = bench;
  await redis.flushall();
  const receiver = await Receiver.start();
  const innocents = forkBench('receivers/neighbours.ts', []);
  const { fast: innocentUrl } = await message<ReceiverUrls>(innocents, 'urls');
  const queue = await openProductQueue(redisPort);
  const { destination } = receiver;
  const { origin } = new URL(destination(0).url);
  await queue.pause(origin);
  const dueAt = (): number => Date.now() + A_DAY_MS;
  for (let from = 0; from < tasks; from += SUBMITTED_AT_ONCE) {
    const many = Math.min(SUBMITTED_AT_ONCE, tasks - from);
    await Promise.all(Array.from({ length: many }, (_, nth) => queue.submit({ ...taskOf({ tasks, destination, dueAt }, from + nth), flowKey: hasKeys ? `tenant-${from + nth}` : undefined })));
  }
  const worker = startWorker(redisPort, DEFAULT_CONCURRENCY);
  const crowd = new Innocents(queue, innocents, innocentUrl);
  await whileRunning([worker], crowd.slowestOf(WARM_UP));
  // All at once, and a waiting worker is told so.
  await redis.multi().zunionstore(DELAYED, 1, DELAYED, 'WEIGHTS', '0').zadd('bull:deliver-0:marker', 0, '0').exec();
  const whilePutBackMs = await whileRunning([worker], crowd.slowestUntil(() => isPutBack(bench, tasks)));
  const standsUntil = performance.now() + size(bench, STANDING_MS, 500);
  const whileWaitingMs = await whileRunning([worker], crowd.slowestUntil(async () => performance.now() >= standsUntil));
  const drained = Math.min(tasks, DRAINED);
  const from = Math.min(DRAINED_FROM, Math.floor(drained / 10));
  const { done } = await receiver.expect(drained, { from });
  await queue.resume(origin);
  const { firstMs, lastMs } = await whileRunning([worker], done);
  for (const child of [worker, innocents]) await end(child);
  await receiver.end();
  await queue.close();
  return { whilePutBackMs, whileWaitingMs, drainedPerSecond: (drained - from - 1) / ((lastMs - firstMs) / 1_000) };
}

/** Are all of the tasks in waiting lists? */
async function isPutBack({ redis }: Bench, tasks: number): Promise<boolean> {
  const lists = await redis.zrange('bull:deliver-0:lanes', '0', '9999');
  const lengths = await Promise.all(lists.map((name) => redis.zcard(`bull:deliver-0:lane:${name}`)));
  return lengths.reduce((sum, length) => sum + length, 0) >= tasks;
}

/** Tasks to another destination, one after the other at an even pace. */
class Innocents {
  #submitted = 0;

  constructor(
    private readonly queue: ProductQueue,
    private readonly receiver: ChildProcess,
    private readonly url: string,
  ) {}

  /** The same for so many of them. */
  slowestOf(tasks: number): Promise<number> {
    const until = this.#submitted + tasks;
    return this.slowestUntil(async () => this.#submitted >= until);
  }

  /** @returns the longest time from a submission to the arrival, ms */
  async slowestUntil(isOver: () => Promise<boolean>): Promise<number> {
    const limitAt = performance.now() + PUT_BACK_LIMIT_MS;
    const before = this.#submitted;
    // More than will come: what has come is asked for at the end.
    await expectArrivals(this.receiver, { fast: Infinity, slow: Infinity });
    const underWay: Promise<unknown>[] = [];
    while (!(await isOver())) {
      if (performance.now() > limitAt) throw new Error('the tasks of the paused destination were not put back in time');
      underWay.push(this.#submit());
      await wait(INNOCENT_EVERY_MS);
    }
    underWay.push(this.#submit());
    await Promise.all(underWay);
    const sent = this.#submitted - before;
    const stopped = performance.now() + PUT_BACK_LIMIT_MS;
    for (;;) {
      const done = message<Arrivals>(this.receiver, 'done');
      this.receiver.send({ stop: true });
      const { fastMs } = await done;
      if (fastMs.length >= sent) return Math.max(...fastMs);
      if (performance.now() > stopped) throw new Error('tasks to another destination have not arrived');
      await wait(INNOCENT_EVERY_MS);
    }
  }

  #submit(): Promise<unknown> {
    this.#submitted += 1;
    const dueAt = Date.now();
    const task = taskOf({ tasks: 1, destination: () => ({ type: 'http', url: this.url }), body: () => JSON.stringify({ due: dueAt }), name: 'innocent' }, this.#submitted);
    return this.queue.submit({ ...task, retryPolicy: { ...task.retryPolicy, initialDelayMs: 0 } });
  }
}
