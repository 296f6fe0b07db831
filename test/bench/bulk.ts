import { setTimeout as wait } from 'node:timers/promises';
import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver } from './delivered.js';
import { fillBare, fillProduct, openBareQueue, openProductQueue, taskOf, type Filling } from './fill-queue.js';
import { end, whileRunning } from './process.js';
import type { Comparison } from './report.js';
import { startApi } from './start-api.js';
import { DEFAULT_SLOTS, startWorker } from './start-workers.js';

const A_DAY_MS = 86_400_000;
const FAILED = 'bull:deliver-0:failed';
/** The same in both loops: a step of a bulk action has as many. */
const AT_ONCE = 100;
const RATE = 500;
const LIMIT_MS = 600_000;
const SAMPLE_EVERY_MS = 10;

/** KEYS 1 numbers of an action. @returns Redis' time (us), and how many tasks it has started */
const SAMPLE = `
local time = redis.call('TIME')
return {time[1] * 1000000 + time[2], tonumber(redis.call('HGET', KEYS[1], 'started')) or 0}
`;

interface ShownAction {
  readonly id: string;
  readonly state: string;
  readonly state_reason: { readonly message: string } | null;
  readonly started: number;
  readonly matched_at: string;
  readonly done_at: string;
  readonly settled_at: string | null;
}

/** What bulk actions do in a second, how well they keep a rate, and what the search for their tasks leaves to deliveries. */
export async function benchBulk(bench: Bench): Promise<Comparison[]> {
  const receiver = await Receiver.start();
  const comparisons: Comparison[] = [];
  for (const [name, run] of Object.entries({ redrive: benchRedrive, rate: benchRate, matching: benchMatching })) {
    if (name.includes(bench.scenario ?? '')) comparisons.push(...(await run(bench, receiver)));
  }
  await receiver.end();
  await bench.redis.flushall();
  return comparisons;
}

async function benchRedrive(bench: Bench, receiver: Receiver): Promise<Comparison[]> {
  const tasks = size(bench, 100_000, 2_000);
  const figures = { redriven: [] as number[], delivered: [] as number[], bare: [] as number[] };
  for (let round = 0; round < bench.rounds; round += 1) {
    await bench.redis.flushall();
    const { startedPerSecond, deliveredPerSecond } = await redriveAll(bench, receiver, tasks);
    figures.redriven.push(startedPerSecond);
    figures.delivered.push(deliveredPerSecond);
    await bench.redis.flushall();
    figures.bare.push(await retryBare(bench, tasks));
  }
  const name = `${tasks.toLocaleString('en-US')} parked`;
  return [
    { figure: 'redriven/s by one worker, which delivers them meanwhile', unit: '/s', product: { name, values: figures.redriven }, baseline: { name: 'bare job.retry, without deliveries', values: figures.bare }, least: 2_000 },
    { figure: 'delivered/s from the first of them to the last', unit: '/s', product: { name, values: figures.delivered } },
  ];
}

async function benchRate(bench: Bench, receiver: Receiver): Promise<Comparison[]> {
  const offPercent: number[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    await bench.redis.flushall();
    offPercent.push(await offTheRate(bench, receiver));
  }
  return [{ figure: `a rate of ${RATE}/s is off by at most, over any 10 s`, unit: '%', product: { name: 'two workers', values: offPercent }, limit: 5 }];
}

async function benchMatching(bench: Bench, receiver: Receiver): Promise<Comparison[]> {
  const waiting = size(bench, 200_000, 5_000);
  const figures = { alone: [] as number[], meanwhile: [] as number[] };
  for (let round = 0; round < bench.rounds; round += 1) {
    await bench.redis.flushall();
    const { alone, meanwhile } = await deliveriesBesideMatching(bench, receiver, waiting);
    figures.alone.push(alone);
    figures.meanwhile.push(meanwhile);
  }
  const name = `${waiting.toLocaleString('en-US')} waiting`;
  return [{ figure: 'delivered/s while bulk actions look at all of them without end', unit: '/s', product: { name, values: figures.meanwhile }, baseline: { name: 'without bulk actions', values: figures.alone }, bar: 0.9 }];
}

async function redriveAll({ redis, redisPort }: Bench, receiver: Receiver, tasks: number): Promise<{ startedPerSecond: number; deliveredPerSecond: number }> {
  await park(redisPort, receiver, tasks, async () => (await redis.zcard(FAILED)) === tasks);
  const api = await startApi(redisPort);
  const worker = startWorker(redisPort, DEFAULT_SLOTS);
  const { done } = await receiver.expect(tasks);
  const work = async (): Promise<ShownAction> => {
    const { id } = await post(api.port, { action: 'redrive', filter: { state: 'parked' } });
    return settled(api.port, id);
  };
  const [{ started, matched_at: from, done_at: to }, { firstMs, lastMs }] = await whileRunning([api.child, worker], Promise.all([work(), done]));
  if (started !== tasks) throw new Error(`${started} of ${tasks} tasks were started again`);
  await Promise.all([end(worker), end(api.child)]);
  return { startedPerSecond: tasks / ((Date.parse(to) - Date.parse(from)) / 1_000), deliveredPerSecond: tasks / ((lastMs - firstMs) / 1_000) };
}

/** Tasks that have failed for good, and of which no dead destination has a copy. */
async function park(redisPort: number, receiver: Receiver, tasks: number, isDone: () => Promise<boolean>): Promise<void> {
  const queue = await openProductQueue(redisPort);
  const filling: Filling = { tasks, destination: receiver.destination, name: 'parked' };
  for (let from = 0; from < tasks; from += 1_000) {
    await Promise.all(Array.from({ length: Math.min(1_000, tasks - from) }, (_, index) => {
      const task = taskOf(filling, from + index);
      return queue.submit({ ...task, onExhausted: 'park', retryPolicy: { ...task.retryPolicy, maxRetries: 0 } });
    }));
  }
  await queue.close();
  await receiver.expect(tasks, { fails: true });
  // All of them fail at one receiver, and would wait for it.
  const worker = startWorker(redisPort, DEFAULT_SLOTS, { env: { FLOW_CIRCUIT: 'off' } });
  await whileRunning([worker], untilTrue(isDone));
  await end(worker);
}

/** Failed jobs of a bare queue, a page of them at a time. No worker takes them. */
async function retryBare({ redis, redisPort }: Bench, tasks: number): Promise<number> {
  await fillBare(redisPort, { tasks, destination: () => ({ type: 'http', url: 'http://127.0.0.1:9/hook' }) });
  const queue = openBareQueue(redisPort);
  const [delayed, failed] = [queue.toKey('delayed'), queue.toKey('failed')];
  for (let jobs = await redis.zpopmin(delayed, 1_000); jobs.length > 0; jobs = await redis.zpopmin(delayed, 1_000)) {
    await redis.zadd(failed, ...jobs.filter((_, nth) => nth % 2 === 0).flatMap((id) => [Date.now(), id]));
  }
  const startedMs = performance.now();
  let retried = 0;
  for (let jobs = await queue.getFailed(0, AT_ONCE - 1); jobs.length > 0; jobs = await queue.getFailed(0, AT_ONCE - 1)) {
    await Promise.all(jobs.map((job) => job.retry('failed')));
    retried += jobs.length;
  }
  const perSecond = tasks / ((performance.now() - startedMs) / 1_000);
  await queue.close();
  if (retried !== tasks) throw new Error(`${retried} of ${tasks} bare jobs were retried`);
  return perSecond;
}

/** Looks again and again how many tasks have been started, by Redis' clock. @returns percent */
async function offTheRate(bench: Bench, receiver: Receiver): Promise<number> {
  const { redis, redisPort } = bench;
  const tasks = size(bench, 12_500, 1_000);
  const windowMs = size(bench, 10_000, 1_000);
  await fillProduct(redisPort, { tasks, destination: receiver.destination, dueAt: () => Date.now() + A_DAY_MS, name: 'rated' });
  const api = await startApi(redisPort);
  const workers = [startWorker(redisPort, DEFAULT_SLOTS), startWorker(redisPort, DEFAULT_SLOTS)];
  const samples: Sample[] = [];
  const work = async (): Promise<void> => {
    const { id } = await post(api.port, { action: 'send_now', filter: { state: 'scheduled' }, rate: RATE });
    await untilTrue(async () => {
      // The script's own answer.
      const [atUs, started] = (await redis.eval(SAMPLE, 1, `bull:deliver-0:bulk:${id}`)) as [number, number];
      if (started > 0) samples.push({ atMs: atUs / 1_000, started });
      return started === tasks;
    }, SAMPLE_EVERY_MS);
  };
  await whileRunning([api.child, ...workers], work());
  await Promise.all([...workers, api.child].map((child) => end(child)));
  return worstPercent(samples, windowMs);
}

interface Sample {
  readonly atMs: number;
  readonly started: number;
}

/** Of all windows between two samples: those that are as long as it is wanted, or the next longer ones. */
function worstPercent(samples: readonly Sample[], windowMs: number): number {
  let worst = 0;
  for (const [nth, from] of samples.entries()) {
    const to = samples.slice(nth).find(({ atMs }) => atMs >= from.atMs + windowMs);
    if (to === undefined) break;
    const wanted = (RATE * (to.atMs - from.atMs)) / 1_000;
    worst = Math.max(worst, (Math.abs(to.started - from.started - wanted) / wanted) * 100);
  }
  return worst;
}

/** Actions that match nothing: they look at all tasks, and change none. */
async function deliveriesBesideMatching(bench: Bench, receiver: Receiver, waiting: number): Promise<{ alone: number; meanwhile: number }> {
  const { redisPort } = bench;
  await fillProduct(redisPort, { tasks: waiting, destination: () => ({ type: 'http', url: 'http://127.0.0.1:9/hook' }), dueAt: () => Date.now() + A_DAY_MS, name: 'waiting' });
  const api = await startApi(redisPort);
  const delivered = async (name: string): Promise<number> => {
    const tasks = size(bench, 40_000, 1_000);
    await fillProduct(redisPort, { tasks, destination: receiver.destination, name });
    return (await measureDelivered(bench, receiver, { tasks, start: () => [startWorker(redisPort, DEFAULT_SLOTS)] })).perSecond;
  };
  const alone = await delivered('alone');
  const ending = new AbortController();
  const matching = matchUntil(() => ending.signal.aborted, api.port);
  const meanwhile = await whileRunning([api.child], delivered('meanwhile'));
  ending.abort();
  await matching;
  await end(api.child);
  return { alone, meanwhile };
}

async function matchUntil(isOver: () => boolean, port: number): Promise<void> {
  for (let state = 'none'; !isOver(); ) {
    const { id } = await post(port, { action: 'send_now', filter: { state: 'scheduled', client_id: 'nobody' } });
    do {
      await wait(50);
      ({ state } = await read(port, id));
    } while (state === 'matching' && !isOver());
  }
}

async function post(port: number, body: object): Promise<ShownAction> {
  return answered(await fetch(`http://127.0.0.1:${port}/bulk-actions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }));
}

async function read(port: number, id: string): Promise<ShownAction> {
  return answered(await fetch(`http://127.0.0.1:${port}/bulk-actions/${id}`));
}

async function answered(response: Response): Promise<ShownAction> {
  if (!response.ok) throw new Error(`a bulk action was answered with ${response.status}: ${await response.text()}`);
  // The API's own answer; with another one the figures are not those of the tasks.
  return (await response.json()) as ShownAction;
}

async function settled(port: number, id: string): Promise<ShownAction> {
  let shown = await read(port, id);
  await untilTrue(async () => {
    shown = await read(port, id);
    if (!['matching', 'running', 'done'].includes(shown.state)) throw new Error(`the bulk action is ${shown.state}: ${shown.state_reason?.message ?? ''}`);
    return shown.settled_at !== null;
  });
  return shown;
}

async function untilTrue(isTrue: () => Promise<boolean>, everyMs = 100): Promise<void> {
  const limitAt = performance.now() + LIMIT_MS;
  while (!(await isTrue())) {
    if (performance.now() > limitAt) throw new Error('a bulk action has not come to its end in time');
    await wait(everyMs);
  }
}
