import { Redis } from 'ioredis';
import { parseQuery } from '../../shared/domain/search/filter.js';
import { defaultPathMask } from '../../shared/domain/destinations/path-mask.js';
import { compileFilter } from '../../shared/queue/search/compile-filter.js';
import type { CountPlace } from '../../shared/queue/scan/count-tasks.js';
import { TaskSearch } from '../../shared/queue/scan/task-search.js';
import { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { size, type Bench } from './benchmark.js';
import { measureDelivered, Receiver } from './delivered.js';
import { fillByCopies, idOfCopy, orderOf } from '../support/copied-tasks.js';
import { fillProduct, openProductQueue, taskOf } from './fill-queue.js';
import { percentile } from './percentile.js';
import { redisCpuUs } from './redis-readings.js';
import type { Comparison } from './report.js';
import { DEFAULT_SLOTS, startWorker } from './start-workers.js';

const TEN_DAYS_MS = 864_000_000;
const CLIENTS = 1_000;
/** The first tasks of all clients are submitted within less: so the tasks of each client stand between those of the others. */
const A_ROUND_MS = 10_000;
const PADDING = 'x'.repeat(1_000);
/** A slower script is written down by Redis, microseconds. */
const SLOW_US = 500;

/** A search over 1,000,000 waiting tasks, or as many as --tasks says, with a message of 1 KB, and deliveries meanwhile beside deliveries without a search. */
export async function benchSearch(bench: Bench): Promise<Comparison[]> {
  const { redisPort, redis, rounds } = bench;
  const tasks = bench.searchedTasks ?? size(bench, 1_000_000, 20_000);
  const receiver = await Receiver.start();
  await redis.flushall();
  await fillWaiting(redis, redisPort, tasks);
  const searched = await openSearch(redisPort);
  const { search } = searched;
  const plan = (q: string) => compileFilter(parseQuery(q), { defaultBrokers: new Set(), mask: defaultPathMask });
  const figures = { firstPage: [] as number[], countSeconds: [] as number[], countCpuSeconds: [] as number[], messageSeconds: [] as number[], scriptMs: [] as number[], alone: [] as number[], meanwhile: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    await redis.config('SET', 'slowlog-log-slower-than', SLOW_US);
    await redis.slowlog('RESET');
    const pages: number[] = [];
    for (let nth = 0; nth < size(bench, 100, 10); nth += 1) pages.push(await timed(() => search.list(plan(`client_id:client-${nth}`), { order: 'newest', limit: 100, from: undefined })));
    figures.firstPage.push(percentile(pages, 99));
    const beforeUs = await redisCpuUs(redis);
    figures.countSeconds.push((await timed(() => countAll(search, plan('client_id:nobody')))) / 1_000);
    figures.countCpuSeconds.push(((await redisCpuUs(redis)) - beforeUs) / 1_000_000);
    figures.messageSeconds.push((await timed(() => countAll(search, plan(`data.order.id:${orderOf(tasks - 7)}`)))) / 1_000);
    figures.scriptMs.push(await longestScriptMs(redis));
    await redis.config('SET', 'slowlog-log-slower-than', 10_000);

    const delivered = async (name: string): Promise<number> => {
      const due = size(bench, 20_000, 1_000);
      await fillProduct(redisPort, { tasks: due, destination: receiver.destination, name: `${name}-${round}` });
      return (await measureDelivered(bench, receiver, { tasks: due, start: () => [startWorker(redisPort, DEFAULT_SLOTS)] })).perSecond;
    };
    figures.alone.push(await delivered('alone'));
    const ending = new AbortController();
    const searching = (async () => {
      while (!ending.signal.aborted) await search.count(plan('client_id:nobody'), 'count', undefined);
    })();
    figures.meanwhile.push(await delivered('meanwhile'));
    ending.abort();
    await searching;
  }
  await searched.close();
  await receiver.end();
  await redis.flushall();
  const side = (values: number[]) => ({ name: `${tasks.toLocaleString('en-US')} waiting`, values });
  return [
    { figure: 'first page by client, one task in 1,000 matches, p99', unit: 'ms', product: side(figures.firstPage), limit: 300 },
    { figure: 'count of all tasks by client', unit: 's', product: side(figures.countSeconds), limit: 10 },
    // On a machine that does other things, too, this one alone can be compared.
    { figure: 'CPU time of Redis for a count of all tasks by client', unit: 's', product: side(figures.countCpuSeconds) },
    { figure: 'count of all tasks by a value in the message', unit: 's', product: side(figures.messageSeconds), limit: 10 },
    { figure: 'longest script of a search', unit: 'ms', product: side(figures.scriptMs), limit: 20 },
    { figure: 'delivered/s while searches run without end', unit: '/s', product: side(figures.meanwhile), baseline: { name: 'without a search', values: figures.alone }, bar: 0.9 },
  ];
}

async function fillWaiting(redis: Redis, redisPort: number, tasks: number): Promise<void> {
  const queue = await openProductQueue(redisPort);
  const filling = { tasks, destination: () => ({ type: 'http', url: 'http://127.0.0.1:9/hook' }) as const, body: (nth: number) => `{"order":{"id":${orderOf(nth)}},"padding":"${PADDING}"}`, dueAt: () => Date.now() + TEN_DAYS_MS };
  const submit = (nth: number): Promise<unknown> => queue.submit({ ...taskOf(filling, nth), id: idOfCopy(nth), clientId: `client-${nth % CLIENTS}` });
  await fillByCopies(redis, { base: 'bull:deliver-0:', tasks, clients: CLIENTS, apartMs: A_ROUND_MS, submit });
  await queue.close();
}

/** As in the API: on a connection of its own. */
async function openSearch(redisPort: number): Promise<{ readonly search: TaskSearch; close(): Promise<void> }> {
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null });
  const queue = new TaskQueue({ redis, prefix: 'bull', shards: 1, deadAttempts: 10, clock: Date.now });
  await queue.ready();
  return {
    search: new TaskSearch(queue),
    close: async () => {
      await queue.close();
      redis.disconnect();
    },
  };
}

async function countAll(search: TaskSearch, plan: ReturnType<typeof compileFilter>): Promise<void> {
  for (let from: CountPlace | undefined; ; ) {
    const { next } = await search.count(plan, 'count', from);
    if (next === undefined) return;
    from = next;
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function longestScriptMs(redis: Redis): Promise<number> {
  // As Redis describes SLOWLOG.
  const entries = (await redis.slowlog('GET', 1_000)) as readonly (readonly [id: number, at: number, us: number, args: readonly string[]])[];
  return Math.max(0, ...entries.filter(([, , , [command]]) => command?.toLowerCase() === 'evalsha').map(([, , us]) => us)) / 1_000;
}
