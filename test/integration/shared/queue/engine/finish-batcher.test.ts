import { Queue, UnrecoverableError, Worker, type IRedisClient, type Job } from 'bullmq';
import { expect } from 'chai';

import { createBatchingBackend } from '../../../../../shared/queue/engine/finish-batcher.js';
import { EngineMismatchError } from '../../../../../shared/queue/engine/engine-mismatch.js';
import { defineFinishScript } from '../../../../../shared/queue/engine/finish-script.js';
import type { RedisClient } from '../../../../../shared/redis/redis-connection.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { definedScripts } from '../../../../../shared/queue/engine/defined-scripts.js';
import { classifyRedisError } from '../../../../../shared/redis/redis-error.js';
import { eventually } from '../../../../support/eventually.js';
import { jobField } from '../../../../../shared/queue/engine/job-fields.js';
import { lockOf } from '../../../../support/shard-keys.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { monitorRedis } from '../../../../support/redis-monitor.js';
import { PrivateRedis, testRedisAddress, type RedisAddress } from '../../../../support/redis.js';
import { connect, InProcessService } from '../../../../support/service-in-process.js';
import { cancel, getTask, httpTask, submitNew, waitForState, type WireTask } from '../../../../support/tasks.js';

/** Keys of krsFinish that all jobs of a group share, then of each job. */
const [SHARED_KEYS, OWN_KEYS] = [11, 3];

/** What Redis was told by krsFinish, from its own MONITOR. */
class WatchedFinishes {
  /** Jobs that ended, per call. */
  readonly groups: number[] = [];
  /** Jobs that were fetched in the place of ended ones. */
  readonly brought: string[] = [];
  /** Jobs that left the delayed set, per step, by whatever script. */
  readonly promoted: number[] = [];
  #marks = 0;
  #mark = '';
  #sawMark = false;

  #end = (): void => undefined;

  private constructor(private readonly base: string) {}

  /** @param base `<prefix>:<queue>:` */
  static async start(address: RedisAddress, base: string): Promise<WatchedFinishes> {
    const watched = new WatchedFinishes(base);
    watched.#end = await monitorRedis((args) => watched.#see(args), address);
    return watched;
  }

  /** Returns when all is seen that Redis was told before. */
  async caughtUp(redis: RedisClient): Promise<void> {
    this.#sawMark = false;
    this.#mark = `${this.base}${(this.#marks += 1)}`;
    await redis.echo(this.#mark);
    await eventually(() => expect(this.#sawMark).to.equal(true));
  }

  close(): void {
    this.#end();
  }

  #see([command = '', ...args]: readonly string[]): void {
    switch (command.toLowerCase()) {
      case 'echo':
        if (args[0] === this.#mark) this.#sawMark = true;
        return;
      case 'eval':
      case 'evalsha': {
        const keys = args.slice(2, 2 + Number(args[1]));
        const jobs = (keys.length - SHARED_KEYS) / OWN_KEYS;
        if (jobs >= 1 && keys[SHARED_KEYS - 1] === `${this.base}marker`) this.groups.push(jobs);
        return;
      }
      case 'hmget':
        // Other scripts read whole jobs.
        if (args.slice(1, 4).join() === 'data,opts,stacktrace') this.brought.push((args[0] ?? '').slice(this.base.length));
        return;
      case 'zrem':
        if (args[0] === `${this.base}delayed`) this.promoted.push(args.length - 1);
    }
  }
}

/** Holds its callers until it is opened: then they all go on in one turn of the event loop. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => { open = resolve; });
  return { opened, open: () => open() };
}

describe('jobs that end', () => {
  let server: PrivateRedis;
  let redis: RedisClient;
  let prefix: string;
  let queue: Queue;
  let closing: (() => unknown)[];
  let errors: Error[];

  before(async () => { server = await PrivateRedis.start(['--maxmemory-policy', 'noeviction']); });
  after(() => server.close());

  beforeEach(async () => {
    [redis, prefix, errors] = [connect('worker', server.address), uniquePrefix(), []];
    queue = new Queue('ending', { connection: redis, prefix });
    closing = [() => redis.disconnect(), () => queue.close(), () => queue.obliterate({ force: true })];
    await queue.waitUntilReady();
  });
  afterEach(async () => {
    await redis.config('SET', 'maxmemory', '0');
    // Last opened, first closed.
    for (const close of closing.reverse()) await close();
  });

  function work(concurrency: number, process: ((job: Job) => Promise<unknown>) | undefined): Worker {
    const worker = new Worker(queue.name, process, { connection: redis, prefix, concurrency, autorun: process !== undefined, lockDuration: 600_000 }, createBatchingBackend);
    worker.on('error', (error) => errors.push(error));
    closing.push(() => worker.close(true));
    return worker;
  }

  async function watch(): Promise<WatchedFinishes> {
    const watched = await WatchedFinishes.start(server.address, queue.toKey(''));
    closing.push(() => watched.close());
    return watched;
  }

  async function add(count: number, data: unknown = {}): Promise<string[]> {
    const jobs = await queue.addBulk(Array.from({ length: count }, (_, nth) => ({ name: 'job', data, opts: { jobId: `j-${prefix}-${nth}` } })));
    return jobs.map(({ id = '' }) => id);
  }

  const hasEnded = (count: number): Promise<unknown> => eventually(async () => expect(await queue.getCompletedCount()).to.equal(count), { withinMs: 15_000 });

  it('together share calls of at most 16', async () => {
    const [{ opened, open }, watched] = [gate(), await watch()];
    let started = 0;
    await add(160);
    work(160, () => {
      started += 1;
      return opened;
    });
    await eventually(() => expect(started).to.equal(160));
    open();
    await hasEnded(160);
    await watched.caughtUp(redis);
    expect(watched.groups).to.deep.equal(Array.from({ length: 10 }, () => 16));
    expect(errors).to.deep.equal([]);
  });

  it('in two turns of the event loop wait for each other in no way', async () => {
    const [gates, watched] = [[gate(), gate()] as const, await watch()];
    let started = 0;
    await add(2);
    const worker = work(2, () => {
      started += 1;
      return gates[started === 1 ? 0 : 1].opened;
    });
    // BullMQ records no end before the connection stands on which it waits for jobs.
    await worker.waitUntilReady();
    await eventually(() => expect(started).to.equal(2));
    gates[0].open();
    for (const _turn of [1, 2, 3]) await new Promise((resolve) => setImmediate(resolve));
    gates[1].open();
    await hasEnded(2);
    await watched.caughtUp(redis);
    expect(watched.groups).to.deep.equal([1, 1]);
  });

  it('with a lock that is gone, or another\'s, get their own errors; the others of the group end', async () => {
    const [{ opened, open }, watched] = [gate(), await watch()];
    let started = 0;
    const ids = await add(16);
    const worker = work(16, () => {
      started += 1;
      return opened;
    });
    const ended: string[] = [];
    worker.on('completed', ({ id = '' }) => ended.push(id));
    await eventually(() => expect(started).to.equal(16));
    const [, gone = '', , taken = ''] = ids;
    await redis.del(lockOf(queue.toKey(gone)));
    await redis.set(lockOf(queue.toKey(taken)), 'another worker');
    open();
    // BullMQ tries to record that it could not record it.
    await eventually(() => expect(errors).to.have.lengthOf(4));
    await watched.caughtUp(redis);
    expect(watched.groups).to.deep.equal([16, 2]);
    for (const [id, text] of [[gone, 'Missing lock'], [taken, 'Lock mismatch']] as const) {
      expect(errors.filter(({ message }) => message.includes(text) && message.includes(id)), text).to.have.lengthOf(2);
    }
    expect(ended.sort()).to.deep.equal(ids.filter((id) => id !== gone && id !== taken).sort());
    expect(await queue.getCompletedCount()).to.equal(14);
    expect((await queue.getActive()).map(({ id }) => id).sort()).to.deep.equal([gone, taken].sort());
  });

  it('do so in a full Redis, too, and so do those that come in their place: none is lost', async () => {
    const [{ opened, open }, watched] = [gate(), await watch()];
    let started = 0;
    await add(60);
    work(20, () => {
      started += 1;
      return opened;
    });
    await eventually(() => expect(started).to.equal(20));
    await redis.config('SET', 'maxmemory', '1mb');
    expect(classifyRedisError(await redis.set(`${prefix}:probe`, '1').catch((error: unknown) => error)), 'Redis is full').to.equal('full');
    open();
    await hasEnded(60);
    await watched.caughtUp(redis);
    expect(watched.brought).to.have.lengthOf(40);
    expect(errors.filter((error) => classifyRedisError(error) !== 'full')).to.deep.equal([]);
  });

  it('get the error that Redis gave for them, recognised as such, and end later: OOM for two of a group', async () => {
    const watched = await watch();
    await add(3);
    // Without a lock to take away first, BullMQ's first write of a failure needs memory; a completion's does not.
    const NO_LOCK = '0';
    const worker = work(1, undefined);
    const [first, second, third] = [await worker.getNextJob(NO_LOCK), await worker.getNextJob(NO_LOCK), await worker.getNextJob(NO_LOCK)];
    const fail = (job: Job): Promise<unknown> => job.moveToFailed(new UnrecoverableError('told'), NO_LOCK, false);
    await redis.config('SET', 'maxmemory', '1mb');
    const results = await Promise.allSettled([fail(first), fail(second), third.moveToCompleted('done', NO_LOCK, false)]);
    await watched.caughtUp(redis);
    // The third ends by another call of BullMQ's, which may take a turn of the event loop more.
    expect(watched.groups).to.be.deep.oneOf([[3], [2, 1]]);
    expect(results.map((result) => (result.status === 'rejected' ? classifyRedisError(result.reason) : result.status))).to.deep.equal(['full', 'full', 'fulfilled']);
    expect(await queue.getJobCounts('active', 'completed', 'failed')).to.deep.equal({ active: 2, completed: 1, failed: 0 });
    await redis.config('SET', 'maxmemory', '0');
    await Promise.all([fail(first), fail(second)]);
    expect(await queue.getJobCounts('active', 'completed', 'failed')).to.deep.equal({ active: 0, completed: 1, failed: 2 });
  });

  it('go alone once a reply has brought large ones, and together again when those are forgotten', async () => {
    const [rounds, watched] = [[gate(), gate()] as const, await watch()];
    const [LARGE, AT_ONCE] = ['x'.repeat(1_048_576), 10];
    await add(2 * AT_ONCE, { text: LARGE });
    let started = 0;
    work(AT_ONCE, ({ data }: Job<{ text?: string }>) => {
      started += 1;
      if (data.text === undefined) return Promise.resolve();
      expect(data.text === LARGE).to.equal(true);
      return rounds[started <= AT_ONCE ? 0 : 1].opened;
    });
    await eventually(() => expect(started).to.equal(AT_ONCE));
    rounds[0].open();
    await eventually(() => expect(started).to.equal(2 * AT_ONCE));
    await watched.caughtUp(redis);
    expect(watched.groups, 'it cannot know yet').to.deep.equal([AT_ONCE]);
    rounds[1].open();
    await hasEnded(2 * AT_ONCE);
    await watched.caughtUp(redis);
    expect(watched.groups.slice(1), 'each brings 1 MiB').to.deep.equal(Array.from({ length: AT_ONCE }, () => 1));
    await queue.addBulk(Array.from({ length: 400 }, (_, nth) => ({ name: 'small', data: {}, opts: { jobId: `s-${prefix}-${nth}` } })));
    await hasEnded(2 * AT_ONCE + 400);
    await watched.caughtUp(redis);
    expect(Math.max(...watched.groups.slice(1 + AT_ONCE))).to.be.at.least(AT_ONCE / 2);
    expect(errors).to.deep.equal([]);
  });

  it('take 8 due ones each out of the delayed set, until all 500 are there; an urgent one is not the last', async () => {
    const [{ opened, open }, watched] = [gate(), await watch()];
    const AN_HOUR_MS = 3_600_000;
    const inHand = await add(16);
    const run: string[] = [];
    work(16, ({ id = '' }) => {
      run.push(id);
      return opened;
    });
    await eventually(() => expect(run).to.have.lengthOf(16));
    const due = Array.from({ length: 500 }, (_, nth) => ({ name: 'job', data: {}, opts: { jobId: `due-${nth}`, delay: AN_HOUR_MS, priority: 10 } }));
    await queue.addBulk([...due, { name: 'job', data: {}, opts: { jobId: 'urgent', delay: AN_HOUR_MS } }]);
    // The urgent one was due last.
    const ids = [...due.map(({ opts }) => opts.jobId), 'urgent'];
    await redis.zadd(queue.toKey('delayed'), ...ids.flatMap((id, nth) => [4_096 + nth, id]));
    await watched.caughtUp(redis);
    const before = watched.promoted.length;
    open();
    await hasEnded(517);
    await watched.caughtUp(redis);
    const promoted = watched.promoted.slice(before);
    expect(promoted).to.deep.equal([...Array.from({ length: 62 }, () => 8), 5]);
    expect(run.toSorted()).to.deep.equal([...inHand, ...ids].toSorted());
    // The 63rd end finds it in the set, behind those that left before.
    expect(run.indexOf('urgent')).to.be.below(inHand.length + 63 + 16);
    expect(errors).to.deep.equal([]);
  });

  it('succeed, and lose none of those that are due, when the key of one that is due holds something else', async () => {
    const [{ opened, open }, watched] = [gate(), await watch()];
    const AN_HOUR_MS = 3_600_000;
    const run = new Set<string>();
    const inHand = await add(16);
    work(16, ({ id = '' }) => {
      run.add(id);
      return opened;
    });
    await eventually(() => expect(run.size).to.equal(16));
    const ids = Array.from({ length: 40 }, (_, nth) => `due-${nth}`);
    await queue.addBulk(ids.map((jobId) => ({ name: 'job', data: {}, opts: { jobId, delay: AN_HOUR_MS, priority: 10 } })));
    const spoilt = ['due-3', 'due-20'];
    for (const id of spoilt) {
      await redis.del(queue.toKey(id));
      await redis.set(queue.toKey(id), 'something else');
    }
    await redis.zadd(queue.toKey('delayed'), ...ids.flatMap((id, nth) => [4_096 + nth, id]));
    open();
    await hasEnded(16 + 40 - spoilt.length);
    await watched.caughtUp(redis);
    expect([...run].toSorted()).to.deep.equal([...inHand, ...ids.filter((id) => !spoilt.includes(id))].toSorted());
    // A fetch of BullMQ's own may meet such a job, too, and says so.
    expect(errors.filter(({ message }) => !message.includes('WRONGTYPE'))).to.deep.equal([]);
    await redis.del(...spoilt.map((id) => queue.toKey(id)));
  });

  it('lose nothing by SCRIPT FLUSH between two groups', async () => {
    const [watched, runs] = [await watch(), new Map<string, number>()];
    let round = gate();
    await add(48);
    work(16, ({ id = '' }) => {
      runs.set(id, (runs.get(id) ?? 0) + 1);
      return round.opened;
    });
    for (const started of [16, 32, 48]) {
      await eventually(() => expect(runs.size).to.equal(started));
      await redis.script('FLUSH');
      const { open } = round;
      round = gate();
      open();
    }
    await hasEnded(48);
    await watched.caughtUp(redis);
    expect([...runs.values()]).to.deep.equal(Array.from({ length: 48 }, () => 1));
    expect(errors).to.deep.equal([]);
  });

  it('bring the next one with all that a worker looks at, as if it had been fetched by BullMQ', async () => {
    const watched = await watch();
    const LOG = JSON.stringify([JSON.stringify({ kind: 'attempt', attempt: 0 }), JSON.stringify({ kind: 'attempt', attempt: 1 })]);
    const ids = ['fetched', 'brought'];
    for (const id of ids) {
      // `run` is ours, beside BullMQ's.
      const options = { jobId: id, priority: 10, run: 3 };
      await queue.add('job', { m: 'ü"', v: 1 }, options);
      await redis.hset(queue.toKey(id), jobField.log, LOG, jobField.fetches, 5, jobField.attemptsMade, 2, jobField.stalls, 4);
    }
    const seen = new Map<string, unknown>();
    work(1, ({ id = '', data, opts, stacktrace, attemptsMade, attemptsStarted, stalledCounter }: Job<unknown>) => {
      const { jobId: _own, ...options } = opts;
      seen.set(id, { data, options, stacktrace, attemptsMade, attemptsStarted, stalledCounter });
      return Promise.resolve();
    });
    await hasEnded(2);
    await watched.caughtUp(redis);
    expect(watched.brought).to.deep.equal(['brought']);
    expect([...seen.keys()]).to.deep.equal(ids);
    expect(seen.get('fetched')).to.deep.include({ data: { m: 'ü"', v: 1 }, attemptsMade: 2, attemptsStarted: 6, stalledCounter: 4 }).and.to.have.nested.property('options.run', 3);
    expect(seen.get('brought')).to.deep.equal(seen.get('fetched'));
  });

  it('bring one that BullMQ has been told to fail, and it fails unrun', async () => {
    const watched = await watch();
    const [first, told = ''] = await add(2);
    await redis.hset(queue.toKey(told), 'defa', 'its child failed');
    const run: string[] = [];
    work(1, ({ id = '' }) => {
      run.push(id);
      return Promise.resolve();
    });
    await eventually(async () => expect(await queue.getFailedCount()).to.equal(1));
    await watched.caughtUp(redis);
    expect([watched.brought, run]).to.deep.equal([[told], [first]]);
    expect(await redis.hget(queue.toKey(told), jobField.failedReason)).to.equal('its child failed');
  });
});

describe('defineFinishScript', () => {
  it('refuses a BullMQ whose script has changed where it is changed here', async () => {
    const redis = connect('worker');
    const queue = new Queue('changed', { connection: redis, prefix: uniquePrefix() });
    try {
      const client: IRedisClient = await queue.getBackend().client;
      const [name = '', { lua } = { lua: '' }] = Object.entries(definedScripts(client)).find(([command]) => command.startsWith('moveToFinished:')) ?? [];
      expect(() => defineFinishScript(client), 'as it is').not.to.throw();
      for (const [text, by] of [['"HGETALL"', '"hgetall"'], ['"LIMIT", 0, 1000)', '"LIMIT", 0, 500)']] as const) {
        expect(lua).to.include(text);
        client.defineCommand(name, { numberOfKeys: 14, lua: lua.replaceAll(text, by) });
        expect(() => defineFinishScript(client), by).to.throw(EngineMismatchError, /once in the script moveToFinished, found it 0 times/);
      }
    } finally {
      await queue.close();
      redis.disconnect();
    }
  });
});

describe('a task that another one\'s end has brought', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let shard: Shard;
  let watched: WatchedFinishes;

  beforeEach(async () => {
    [service, receiver] = await Promise.all([InProcessService.ready(), createReceiver()]);
    receiver.on('/down', { kind: 'answer', status: 500 });
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
    watched = await WatchedFinishes.start(testRedisAddress(), shard.keys.base);
  });
  afterEach(async () => {
    watched.close();
    await service.close();
    await receiver.close();
  });

  /** A job that is due in an hour, unless it is made due before. */
  async function later(path: string, changes: Partial<WireTask> = {}): Promise<WireTask> {
    const task = httpTask(receiver.url(path), { initial_delay: 3_600, base_delay: 3_600, dead_destination: { url: receiver.url('/dead') }, ...changes });
    await submitNew(service.baseUrl, task);
    return task;
  }

  async function makeDue(...ids: readonly string[]): Promise<void> {
    for (const id of ids) expect(await service.redis.zadd(shard.keys.delayed, 'XX', 'CH', 4_096, `t-${id}`)).to.equal(1);
  }

  let held = 0;
  /** Takes a slot of the worker until it is let go, then ends well. */
  async function hold(): Promise<() => void> {
    const { opened, open } = gate();
    const path = `/held-${(held += 1)}`;
    receiver.on(path, { kind: 'answer', after: opened });
    await submitNew(service.baseUrl, httpTask(receiver.url(path)));
    await receiver.waitForRequests(1, { path });
    return open;
  }

  /** Has it fetched by the end of another task, by a worker with one slot. */
  async function bring({ id }: WireTask): Promise<void> {
    const letGo = await hold();
    await makeDue(id);
    letGo();
  }

  const timesBrought = async ({ id }: WireTask): Promise<number> => {
    await watched.caughtUp(service.redis);
    return watched.brought.filter((brought) => brought === `t-${id}`).length;
  };

  it('goes on with its attempts to its dead destination, history and all', async () => {
    await service.startWorker({ concurrency: 1 });
    const task = await later('/down', { max_retries: 2 });
    for (const attempt of [0, 1, 2]) {
      await bring(task);
      await eventually(async () => expect((await getTask(service.baseUrl, task.id)).timeline).to.have.lengthOf.at.least(attempt + 1));
    }
    const shown = await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(await timesBrought(task)).to.equal(3);
    expect(receiver.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([`${task.id}|0`, `${task.id}|1`, `${task.id}|2`, `${task.id}|dead|3`]);
    expect(shown.timeline.map(({ phase, attempt, outcome }) => [phase, attempt, outcome])).to.deep.equal([
      ['delivery', 0, 'failed'],
      ['delivery', 1, 'failed'],
      ['delivery', 2, 'failed'],
      ['dead_letter', 0, 'delivered'],
    ]);
  });

  it('knows which run of its id it is', async () => {
    await service.startWorker({ concurrency: 1 });
    const task = await later('/');
    await bring(task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    await submitNew(service.baseUrl, task);
    await bring(task);
    const shown = await waitForState(service.baseUrl, task.id, 'delivered');
    expect(await timesBrought(task)).to.equal(2);
    expect(shown.timeline.map(({ run, attempt }) => [run, attempt])).to.deep.equal([[2, 0]]);
  });

  it('is known as the killer of twelve workers', async () => {
    await service.startWorker({ concurrency: 1 });
    const task = await later('/', { max_retries: 5 });
    await service.redis.hset(shard.keys.job(task.id), jobField.stalls, 12);
    await bring(task);
    expect((await waitForState(service.baseUrl, task.id, 'dead_lettered')).dead_reason).to.equal('poison');
    expect(await timesBrought(task)).to.equal(1);
    expect(receiver.requestsFor(task.id).map(({ path }) => path)).to.deep.equal(['/dead']);
  });

  it('is deferred and woken like any other when its destination is busy', async () => {
    const [slow, { opened, open }] = [await createReceiver(), gate()];
    try {
      slow.on('/hook', { kind: 'answer', after: opened });
      for (const url of [slow.url('/hook'), slow.url('/hook')]) await submitNew(service.baseUrl, httpTask(url));
      // Half of the slots for one destination.
      await service.startWorker({ concurrency: 4 });
      await slow.waitForRequests(2);
      const [letGo, letOtherGo] = [await hold(), await hold()];
      const task = httpTask(slow.url('/hook'), { initial_delay: 3_600 });
      await submitNew(service.baseUrl, task);
      await makeDue(task.id);
      letGo();
      await eventually(async () => expect((await getTask(service.baseUrl, task.id)).waiting_for?.code).to.equal('destination_busy'));
      expect(await timesBrought(task)).to.equal(1);
      expect(await service.redis.hmget(shard.keys.job(task.id), jobField.deferredAt, jobField.fetches)).to.deep.equal(['1', '1']);
      open();
      letOtherGo();
      // By itself it would come back after a minute.
      await waitForState(service.baseUrl, task.id, 'delivered', { withinMs: 10_000 });
      expect(slow.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([`${task.id}|0`]);
    } finally {
      open();
      await slow.close();
    }
  });

  it('is not one that was cancelled meanwhile', async () => {
    await service.startWorker({ concurrency: 1 });
    const [task, other] = [await later('/'), await later('/')];
    const letGo = await hold();
    await makeDue(task.id, other.id);
    expect((await cancel(service.baseUrl, task.id)).status).to.equal(200);
    letGo();
    await waitForState(service.baseUrl, other.id, 'delivered');
    expect([await timesBrought(task), await timesBrought(other)]).to.deep.equal([0, 1]);
    expect(receiver.requestsFor(task.id)).to.have.lengthOf(0);
  });
});
