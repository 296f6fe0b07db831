import { expect } from 'chai';

import type { AttemptRecord, LogEntry } from '../../../../../shared/domain/task/attempt-record.js';
import type { Task } from '../../../../../shared/domain/task/task.js';
import { flowNamed } from '../../../../../shared/domain/destinations/flow.js';
import { defaultBrokersOf, flowOf, type DefaultBrokers } from '../../../../../shared/domain/flow/flow-key.js';
import { WaitingLists } from '../../../../../shared/queue/flow/waiting-lists.js';
import { failureFieldsOf, packFailureFields } from '../../../../../shared/queue/search/failure-fields.js';
import { encodeEntry } from '../../../../../shared/queue/tasks/log-codec.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { eventually } from '../../../../support/eventually.js';
import { jobField } from '../../../../../shared/queue/engine/job-fields.js';
import { lockOf } from '../../../../support/shard-keys.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { PrivateRedis } from '../../../../support/redis.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { domainTask, getTask, waitForState } from '../../../../support/tasks.js';

const UNTIL_MS = 60_000;

describe('WaitingLists: bulkDefer', () => {
  let service: InProcessService;
  let shard: Shard;
  let busy: Receiver;
  let other: Receiver;

  beforeEach(async () => {
    [service, busy, other] = await Promise.all([InProcessService.ready(), createReceiver(), createReceiver()]);
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
  });
  afterEach(async () => {
    await service.close();
    await Promise.all([busy.close(), other.close()]);
  });

  function to(receiver: Receiver, changes: Partial<Task> = {}): Task {
    const destination = { type: 'http', url: receiver.url('/hook?a=1') } as const;
    return domainTask({ destination, retryPolicy: { maxRetries: 0, initialDelayMs: 0, baseDelayMs: 1_000, maxDelayMs: 1_000, jitter: 'none' }, ...changes });
  }

  async function submit(tasks: readonly Task[]): Promise<void> {
    for (const task of tasks) expect(await service.queue.submit(task)).to.include({ kind: 'created' });
  }

  const bulkDefer = (task: Task, count = 100, defaultBrokers: DefaultBrokers = new Set()): Promise<{ looked: number; deferred: number }> => {
    const now = Date.now();
    return new WaitingLists(shard, defaultBrokers).bulkDefer({ flows: [[flowOf(task.destination, task.flowKey, defaultBrokers), 'circuit_open']], known: [] }, count, now, now + UNTIL_MS);
  };

  const failedOnce = (next: AttemptRecord['next']): AttemptRecord =>
    ({ kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', next, outcome: 'failed', code: 'http_server_error', at: 1_000, ms: 5, stalls: 0, detail: '"next":"dead_letter"' });

  /** As if a worker had had it. */
  async function log(task: Task, ...entries: LogEntry[]): Promise<void> {
    await logAsOlderWorker(task, ...entries);
    const attemptsMade = entries.filter(({ kind }) => kind === 'attempt').length;
    const failure = failureFieldsOf(entries, attemptsMade);
    if (failure !== undefined) await service.redis.hset(shard.keys.job(task.id), jobField.failure, packFailureFields(failure));
  }

  /** As if a worker had had it that knows no failure fields. */
  async function logAsOlderWorker(task: Task, ...entries: LogEntry[]): Promise<void> {
    const attemptsMade = entries.filter(({ kind }) => kind === 'attempt').length;
    await service.redis.hset(shard.keys.job(task.id), jobField.log, JSON.stringify(entries.map(encodeEntry)), jobField.fetches, 1, ...(attemptsMade === 0 ? [] : [jobField.attemptsMade, attemptsMade]));
  }

  const waitingListOfTask = async (task: Task): Promise<string[]> => service.redis.zrange(shard.keys.waitingList(flowOf(task.destination, task.flowKey).id), '0', '-1');

  it('defers the tasks of the flow alone, in their order, priority tasks before them, and leaves flow_keys, other origins and dead letters', async () => {
    const bulkDeferred = Array.from({ length: 5 }, (_, nth) => to(busy, { id: `deferred-${nth}` }));
    const [dead, keyed, elsewhere, urgent] = [to(busy, { id: 'dead' }), to(busy, { flowKey: 'tenant' }), to(other), to(busy, { isPriority: true })];
    await submit([dead, ...bulkDeferred, keyed, elsewhere, urgent]);
    await log(dead, failedOnce('dead_letter'));
    const [first] = bulkDeferred;
    if (first === undefined) throw new Error('no task');
    expect(await bulkDefer(first)).to.deep.equal({ looked: 9, deferred: 6 });
    expect(await service.redis.zcard(shard.keys.prioritized)).to.equal(3);
    const waitingList = flowOf(first.destination, undefined).id;
    expect(await service.redis.zrange(shard.keys.waitingList(waitingList), '0', '-1'), 'the order of the queue').to.deep.equal([urgent, ...bulkDeferred].map(({ id }) => `t-${id}`));
    expect(await service.redis.zrange(shard.keys.waitingLists, '0', '-1')).to.deep.equal([waitingList]);
    const shown = await service.queue.find(first.id);
    expect(shown?.progress.lastDeferral).to.include({ reason: 'circuit_open', count: 1 });
    expect(shown?.state).to.equal('scheduled');
    expect((shown?.nextAttemptAt ?? 0) - Date.now()).to.be.within(UNTIL_MS - 10_000, UNTIL_MS);
  });

  it('defers tasks that were sent before, or have been in the waiting list, which keep their place in it', async () => {
    const [fresh, retried, deferredBefore] = [to(busy, { id: 'fresh' }), to(busy, { id: 'retried' }), to(busy, { id: 'deferred' })];
    await submit([fresh, retried, deferredBefore]);
    await log(retried, failedOnce('retry'));
    await log(deferredBefore, failedOnce('retry'), { kind: 'deferral', reason: 'limit', since: 2_000, until: 3_000, count: 4 });
    expect(await bulkDefer(fresh)).to.deep.equal({ looked: 3, deferred: 3 });
    expect(await waitingListOfTask(fresh)).to.deep.equal(['t-deferred', 't-fresh', 't-retried']);
    const shown = await Promise.all([retried, deferredBefore].map(({ id }) => service.queue.find(id)));
    expect(shown.map((view) => view?.progress.attempt), 'no attempt is counted').to.deep.equal([1, 1]);
    const [ofRetried, ofDeferred] = shown.map((view) => view?.progress.lastDeferral);
    expect(ofRetried, 'has waited since its backoff was over').to.include({ reason: 'circuit_open', since: 2_005 });
    expect(ofDeferred).to.include({ reason: 'limit', since: 2_000, count: 4 });
    for (const deferral of [ofRetried, ofDeferred]) expect((deferral?.until ?? 0) - Date.now()).to.be.within(UNTIL_MS - 10_000, UNTIL_MS);
    busy.on('/hook', { kind: 'answer' });
    expect(await new WaitingLists(shard).wake(flowOf(fresh.destination, undefined).id, 3)).to.deep.equal({ woken: 3, left: 0 });
    await service.startWorker();
    for (const { id } of [fresh, retried, deferredBefore]) await waitForState(service.baseUrl, id, 'delivered');
    expect(busy.requests.map(({ key }) => key)).to.have.members(['fresh|0', 'retried|1', 'deferred|1']);
  });

  it('knows the tasks of a flow_key, whatever it looks like, by where they go', async () => {
    const kafka = { type: 'kafka', broker: { host: '127.0.0.1', port: 9 }, topic: 'orders', key: undefined, headers: undefined } as const;
    for (const flowKey of ['tenant', 'a] http http://x/y', 'a] kafka b@c', '%a [.*]']) {
      const mine = [to(busy, { flowKey }), to(busy, { destination: kafka, flowKey })];
      const others = [to(busy), to(busy, { flowKey: `${flowKey}2` }), to(other, { flowKey }), to(busy, { destination: kafka }), to(busy, { destination: { ...kafka, broker: undefined }, flowKey })];
      await submit([...mine, ...others]);
      for (const task of mine) {
        const { deferred } = await bulkDefer(task);
        expect([deferred, await waitingListOfTask(task)], flowKey).to.deep.equal([1, [`t-${task.id}`]]);
      }
      await service.redis.del(shard.keys.prioritized);
    }
  });

  it('takes single tasks for the others of a host, and leaves those of known flows and those that are not alone', async () => {
    const at = (path: string, changes: Partial<Task> = {}): Task => to(busy, { destination: { type: 'http', url: busy.url(path) }, ...changes });
    const single = [at('/1'), at('/2'), at('/hook', { flowKey: 'tenant-1' })];
    const others = [at('/known'), at('/fast'), at('/fast'), at('/hook', { flowKey: 'tenant-2' }), at('/hook', { flowKey: 'tenant-2' }), to(other)];
    await submit([...single, ...others]);
    const host = new URL(busy.url('')).origin;
    const known = flowOf({ type: 'http', url: busy.url('/known') }, undefined).id;
    const now = Date.now();
    const flow = flowNamed(host, host);
    expect(await new WaitingLists(shard).bulkDefer({ flows: [[flow, 'destination_busy']], known: [known] }, 100, now, now + UNTIL_MS)).to.deep.equal({ looked: 9, deferred: 3 });
    expect(await service.redis.zrange(shard.keys.waitingList(flow.id), '0', '-1')).to.have.members(single.map(({ id }) => `t-${id}`));
  });

  it('says of which flows the waiting tasks are, the newest first, and moves them into lists of their own, where they keep their place', async () => {
    const at = (path: string, changes: Partial<Task> = {}): Task => to(busy, { destination: { type: 'http', url: busy.url(path) }, ...changes });
    const [one, two, tenant, dead] = [at('/1'), at('/2'), at('/hook', { flowKey: 'tenant-1' }), at('/4')];
    await submit([one, two, tenant, dead]);
    const host = new URL(busy.url('')).origin;
    const [others, own] = [flowNamed(host, host), flowOf(two.destination, undefined)];
    const lists = new WaitingLists(shard);
    const now = Date.now();
    await lists.bulkDefer({ flows: [[others, 'destination_busy']], known: [] }, 100, now, now + UNTIL_MS);
    await log(dead, failedOnce('dead_letter'));
    const ofJobs = async (skipped: number, count: number): Promise<unknown> => {
      const { looked, jobs } = await lists.look(others.id, skipped, count);
      return [looked, jobs.map(({ jobId, flow }) => [jobId, flow.key])];
    };
    const seen = [[`t-${tenant.id}`, 'tenant-1'], [`t-${two.id}`, `${host}/2`], [`t-${one.id}`, `${host}/1`]];
    expect(await ofJobs(0, 10), 'the newest is a dead letter').to.deep.equal([4, seen]);
    expect(await ofJobs(1, 2)).to.deep.equal([2, seen.slice(0, 2)]);
    expect(await ofJobs(4, 2)).to.deep.equal([0, []]);
    const score = await service.redis.zscore(shard.keys.waitingList(others.id), `t-${two.id}`);
    expect(await lists.move(others.id, own.id, [`t-${two.id}`, 't-gone'])).to.equal(1);
    expect(await lists.move(others.id, own.id, [`t-${two.id}`]), 'it is no longer there').to.equal(0);
    expect(await service.redis.zrange(shard.keys.waitingList(own.id), '0', '-1', 'WITHSCORES')).to.deep.equal([`t-${two.id}`, score]);
    expect(await service.redis.exists(shard.keys.job('gone'))).to.equal(0);
    expect(await service.redis.zrange(shard.keys.waitingLists, '0', '-1')).to.have.members([others.id, own.id]);
    expect(await service.queue.cancel(two.id)).to.include({ kind: 'cancelled' });
    expect(await service.redis.zrange(shard.keys.waitingLists, '0', '-1'), 'a cancellation finds it').to.deep.equal([others.id]);
    await service.queue.cancel(dead.id);
    expect(await lists.move(others.id, own.id, [one, tenant].map(({ id }) => `t-${id}`))).to.equal(2);
    expect(await service.redis.zrange(shard.keys.waitingLists, '0', '-1'), 'nothing is left in the first one').to.deep.equal([own.id]);
  });

  it('does not move a task that has been fetched since, or waits in another list', async () => {
    const [fetched, elsewhere] = [to(busy), to(busy)];
    await submit([fetched, elsewhere]);
    await bulkDefer(fetched);
    const { id } = flowOf(fetched.destination, undefined);
    await service.redis.hset(shard.keys.job(fetched.id), jobField.fetches, 1);
    await service.redis.hset(shard.keys.job(elsewhere.id), jobField.waitingList, 'another');
    expect(await new WaitingLists(shard).move(id, 'own', [fetched, elsewhere].map((task) => `t-${task.id}`))).to.equal(0);
    expect(await service.redis.exists(shard.keys.waitingList('own'))).to.equal(0);
    expect(await service.redis.zcard(shard.keys.waitingList(id))).to.equal(2);
  });

  it('defers all flow_keys of an endpoint that is paused, however many there are', async () => {
    await submit([to(busy), ...Array.from({ length: 5 }, (_, nth) => to(busy, { flowKey: `tenant-${nth}` })), to(other, { flowKey: 'tenant-1' })]);
    const flow = flowOf(to(busy).destination, undefined);
    const now = Date.now();
    expect(await new WaitingLists(shard).bulkDefer({ flows: [[flow, 'paused']], known: [] }, 100, now, now + UNTIL_MS)).to.deep.equal({ looked: 7, deferred: 6 });
    expect(await service.redis.zrange(shard.keys.waitingLists, '0', '-1')).to.deep.equal([flow.id]);
  });

  it('defers everything of a host that is paused: known flows into lists of their own, all others together', async () => {
    const at = (path: string, changes: Partial<Task> = {}): Task => to(busy, { destination: { type: 'http', url: busy.url(path) }, ...changes });
    const known = at('/known');
    const together = [at('/1'), at('/twice'), at('/twice'), at('/hook', { flowKey: 'tenant-1' }), at('/hook', { flowKey: 'tenant-2' }), at('/hook', { flowKey: 'tenant-2' })];
    await submit([known, ...together, to(other)]);
    const host = new URL(busy.url('')).origin;
    const flowOfKnown = flowOf(known.destination, undefined);
    const now = Date.now();
    expect(await new WaitingLists(shard).bulkDefer({ flows: [[flowNamed(host, host), 'paused']], known: [flowOfKnown.id] }, 100, now, now + UNTIL_MS)).to.deep.equal({ looked: 8, deferred: 7 });
    expect(await service.redis.zrange(shard.keys.waitingList(flowOfKnown.id), '0', '-1')).to.deep.equal([`t-${known.id}`]);
    expect(await service.redis.zrange(shard.keys.waitingList(host), '0', '-1')).to.have.members(together.map(({ id }) => `t-${id}`));
  });

  it('looks at the head alone', async () => {
    const tasks = Array.from({ length: 12 }, () => to(busy));
    await submit(tasks);
    const [first] = tasks;
    if (first === undefined) throw new Error('no task');
    expect(await bulkDefer(first, 10)).to.deep.equal({ looked: 10, deferred: 10 });
    expect(await bulkDefer(first, 10)).to.deep.equal({ looked: 2, deferred: 2 });
    expect(await bulkDefer(first, 10)).to.deep.equal({ looked: 0, deferred: 0 });
  });

  it('knows topics of Kafka', async () => {
    const destination = { type: 'kafka', broker: { host: '127.0.0.1', port: 9 }, topic: 'orders', key: undefined, headers: undefined } as const;
    const [mine, others] = [to(busy, { destination }), to(busy, { destination: { ...destination, topic: 'orders-2' } })];
    await submit([mine, others]);
    expect(await bulkDefer(mine)).to.deep.equal({ looked: 2, deferred: 1 });
  });

  it('knows a task by its origin and path, however its url is spelled', async () => {
    const { port } = new URL(busy.url(''));
    const spelled = (host: string, path: string): Task => to(busy, { destination: { type: 'http', url: `HTTP://${host}:${port}${path}` } });
    const mine = [to(busy), spelled('127.0.0.1', '/hook#b'), spelled('127.1', '/x/../hook'), spelled('u:p@127.0.0.1', '/hook?a=2')];
    await submit([...mine, spelled('127.0.0.2', '/hook'), spelled('127.0.0.1', '/hook/')]);
    expect(await bulkDefer(mine[0] ?? to(busy))).to.deep.equal({ looked: 6, deferred: 4 });
    const long = (query: string): Task => spelled('127.0.0.1', `/${'long/'.repeat(300)}${query}`);
    await submit([long(''), long('?a=1')]);
    expect(await bulkDefer(long('')), 'and however long it is').to.deep.equal({ looked: 4, deferred: 2 });
  });

  it('knows a flow_key by the name that it means, however it is spelled', async () => {
    const [task, other] = [to(busy, { flowKey: 'HTTPS://Tenant.example.com/7' }), to(busy, { flowKey: 'https://tenant.example.com/7?x=1' })];
    await submit([task, other]);
    expect(await bulkDefer(task)).to.deep.equal({ looked: 2, deferred: 2 });
    expect(await waitingListOfTask(task)).to.deep.equal([`t-${task.id}`, `t-${other.id}`]);
  });

  it('takes a flow_key that is the name of its own host for none: it stops no other task of the host', async () => {
    const { origin } = new URL(busy.url(''));
    const [named, plain, elsewhere] = [to(busy, { flowKey: origin.toUpperCase() }), to(busy), to(busy, { destination: { type: 'http', url: busy.url('/another') } })];
    await submit([named, plain, elsewhere]);
    expect(await bulkDefer(named)).to.deep.equal({ looked: 3, deferred: 2 });
    expect(await waitingListOfTask(plain)).to.have.members([named, plain].map(({ id }) => `t-${id}`));
  });

  it('knows the default cluster by all its spellings, as the worker is configured', async () => {
    const brokers = [{ host: 'Kafka-1', port: 9092 }, { host: '::1', port: 9093 }];
    const topic = (broker: { host: string; port: number } | undefined, changes: Partial<Task> = {}): Task => to(busy, { destination: { type: 'kafka', broker, topic: 'orders', key: undefined, headers: undefined }, ...changes });
    // The last one has the name of its cluster as its flow_key, which is as none.
    const mine = [topic(undefined), topic({ host: 'kafka-1', port: 9092 }), topic({ host: 'KAFKA-1', port: 9092 }), topic({ host: '::1', port: 9093 }), topic(undefined, { flowKey: 'kafka://Kafka-1:9092' })];
    const tenants = [topic(undefined, { flowKey: 'tenant' }), topic({ host: 'kafka-1', port: 9092 }, { flowKey: 'tenant' })];
    const others = [topic({ host: 'kafka-2', port: 9092 }), topic({ host: 'kafka-2', port: 9092 }, { flowKey: 'tenant' })];
    await submit([...mine, ...tenants, ...others]);
    const [first, tenant] = [mine[0], tenants[0]];
    if (first === undefined || tenant === undefined) throw new Error('no task');
    expect(await bulkDefer(first, 100, defaultBrokersOf(brokers))).to.deep.equal({ looked: 9, deferred: 5 });
    expect(await waitingListOfTask(first)).to.have.members(mine.map(({ id }) => `t-${id}`));
    expect(await bulkDefer(tenant, 100, defaultBrokersOf(brokers))).to.deep.equal({ looked: 4, deferred: 2 });
    expect(await bulkDefer(others[0] ?? first, 100, defaultBrokersOf(brokers))).to.deep.equal({ looked: 2, deferred: 1 });
  });

  it('leaves what it cannot be sure of: tasks without search fields, or failed since by an older worker', async () => {
    // So many are made.
    const [sure, unknown, newer, broken, failedSince, failedBefore, deadSince] = Array.from({ length: 7 }, () => to(busy)) as [Task, Task, Task, Task, Task, Task, Task];
    await submit([sure, unknown, newer, broken, failedSince, failedBefore, deadSince]);
    await service.redis.hdel(shard.keys.job(unknown.id), jobField.search);
    await service.redis.hset(shard.keys.job(newer.id), jobField.search, '2more');
    await service.redis.hset(shard.keys.job(broken.id), jobField.search, '1cut');
    await log(failedSince, failedOnce('retry'));
    await logAsOlderWorker(failedSince, failedOnce('retry'), failedOnce('retry'));
    await logAsOlderWorker(failedBefore, failedOnce('retry'));
    await log(deadSince, failedOnce('retry'));
    await logAsOlderWorker(deadSince, failedOnce('retry'), failedOnce('dead_letter'));
    expect(await bulkDefer(sure)).to.deep.equal({ looked: 7, deferred: 1 });
    expect(await waitingListOfTask(sure)).to.deep.equal([`t-${sure.id}`]);
  });

  it('loses none of them: woken or after their time, each is delivered once, also by a worker that knows nothing of it', async () => {
    const tasks = Array.from({ length: 40 }, () => to(busy));
    busy.on('/hook', { kind: 'answer' });
    await submit(tasks);
    const [first] = tasks;
    if (first === undefined) throw new Error('no task');
    await bulkDefer(first);
    // Half of the hints are lost, and their time is over.
    for (const { id } of tasks.slice(0, 20)) {
      await service.redis.zrem(shard.keys.waitingList(flowOf(first.destination, undefined).id), `t-${id}`);
      await service.redis.zadd(shard.keys.delayed, 'XX', 4_096, `t-${id}`);
    }
    await service.startWorker();
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
    expect(busy.requests.map(({ headers }) => headers['x-retry-attempt'])).to.deep.equal(tasks.map(() => '0'));
    await eventually(async () => expect(await service.redis.zcard(shard.keys.waitingLists)).to.equal(0));
  });

  for (const [what, flowKey, entries] of [
    ['tasks', undefined, []],
    ['tasks of one flow_key', 'tenant-7', []],
    ['tasks that failed together', undefined, [failedOnce('retry')]],
  ] as const) {
    it(`clears a head of 1,500 ${what} to a hanging receiver for those behind it`, async () => {
      busy.on('/hook', { kind: 'hang' });
      other.on('/hook', { kind: 'answer' });
      const head = Array.from({ length: 1_500 }, () => to(busy, { flowKey }));
      await submit(head);
      if (entries.length > 0) for (const task of head) await log(task, ...entries);
      const behind = Array.from({ length: 20 }, () => to(other));
      await submit(behind);
      await service.startWorker({ concurrency: 20 });
      for (const { id } of behind) await waitForState(service.baseUrl, id, 'delivered');
      const fetched = (await Promise.all(head.map(({ id }) => service.redis.hget(shard.keys.job(id), jobField.fetches)))).filter((count) => Number(count) > entries.length);
      expect(fetched.length, 'to be put back one by one').to.be.below(300);
      const [waiting] = behind;
      expect((await getTask(service.baseUrl, waiting?.id ?? '')).timeline).to.have.lengthOf(1);
    });
  }
});

describe('WaitingLists: defer', () => {
  const LIST = 'http://elsewhere';
  const ID = 'in-hand';
  let service: InProcessService;
  let shard: Shard;
  let token: string;
  // Its own, because one of these tests takes all scripts away.
  let redis: PrivateRedis;

  before(async () => { redis = await PrivateRedis.start(); });
  after(() => redis.close());
  beforeEach(async () => {
    service = await InProcessService.ready({ redis: redis.address });
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
    await service.queue.submit(domainTask({ id: ID }));
    token = 'of-a-worker';
    await service.redis.zrem(shard.keys.delayed, `t-${ID}`);
    await service.redis.zrem(shard.keys.prioritized, `t-${ID}`);
    await service.redis.lpush(shard.keys.active, `t-${ID}`);
    await service.redis.set(lockOf(shard.keys.job(ID)), token);
  });
  afterEach(() => service.close());

  const defer = (): Promise<number> => new WaitingLists(shard).defer(LIST, { jobId: `t-${ID}`, token, at: 1_000_000, delayMs: 60_000, since: 900_000, fields: { deferred: 1 } });
  const hints = (): Promise<string[]> => service.redis.zrange(shard.keys.waitingList(LIST), '0', '-1', 'WITHSCORES');

  it('tells of each list within one round, also when others go meanwhile', async () => {
    const names = Array.from({ length: 250 }, (_, nth) => `http://host-${nth}`);
    const add = service.redis.pipeline();
    names.forEach((name, nth) => add.zadd(shard.keys.waitingLists, nth, name));
    await add.exec();
    const waitingLists = new WaitingLists(shard);
    const found = await waitingLists.next(100);
    expect([...found].sort()).to.deep.equal(names.slice(150).sort());
    // Of those that were told, and of those that were not.
    await service.redis.zrem(shard.keys.waitingLists, ...names.slice(140, 200));
    found.push(...await waitingLists.next(100), ...await waitingLists.next(100));
    expect(found).to.include.members(names.slice(0, 140));
    expect(await waitingLists.next(10), 'and again').to.include('http://host-249');
    await service.redis.del(shard.keys.waitingLists);
  });

  it('puts the job back and into the waiting list in one step', async () => {
    expect(await defer()).to.equal(1);
    expect(await hints()).to.deep.equal([`t-${ID}`, '900000']);
    expect(await new WaitingLists(shard).next(10)).to.deep.equal([LIST]);
    expect(Math.floor(Number(await service.redis.zscore(shard.keys.delayed, `t-${ID}`)) / 0x1000)).to.equal(1_060_000);
    expect(await service.redis.hmget(shard.keys.job(ID), jobField.deferredAt, jobField.delay)).to.deep.equal(['1', '60000']);
    expect(await service.redis.llen(shard.keys.active)).to.equal(0);
    expect(await service.redis.exists(lockOf(shard.keys.job(ID)))).to.equal(0);
  });

  it('says anew since when a job is held if it was fetched some time ago: a search may have missed it meanwhile', async () => {
    const job = shard.keys.job(ID);
    for (const [ago, expected] of [[100, ['old', null]], [5_000, ['new', 'new']]] as const) {
      await service.redis.hdel(job, jobField.movedAt);
      await service.redis.hset(job, { [jobField.fetches]: 2, [jobField.deferredAt]: 1, [jobField.waitingList]: LIST, [jobField.heldAt]: 1_000, [jobField.startedAt]: Date.now() - ago });
      await service.redis.zadd(shard.keys.waitingList(LIST), '800000', `t-${ID}`);
      await defer();
      expect(await hints(), 'its place').to.deep.equal([`t-${ID}`, '800000']);
      const told = await service.redis.hmget(job, jobField.heldAt, jobField.movedAt);
      expect(told.map((at) => (at === null ? null : Number(at) > 1_000 ? 'new' : 'old')), `fetched ${ago} ms ago`).to.deep.equal(expected);
      await service.redis.multi().zrem(shard.keys.delayed, `t-${ID}`).lpush(shard.keys.active, `t-${ID}`).set(lockOf(job), token).exec();
    }
  });

  it('puts a priority job before all that wait, and makes it due since it was deferred, like them', async () => {
    await service.redis.hset(shard.keys.job(ID), jobField.priority, '0');
    await service.redis.zadd(shard.keys.waitingList(LIST), '1', 't-waits-longest');
    expect(await defer()).to.equal(2);
    expect(await service.redis.zrange(shard.keys.waitingList(LIST), '0', '-1')).to.deep.equal([`t-${ID}`, 't-waits-longest']);
    await service.redis.hset(shard.keys.job(ID), jobField.fetches, '1');
    expect(await new WaitingLists(shard).wake(LIST, 1)).to.deep.equal({ woken: 1, left: 1 });
    expect(await service.redis.zscore(shard.keys.delayed, `t-${ID}`)).to.equal(String(900_000 * 0x1000));
  });

  it('by a worker whose clock is ahead does not keep a job that is woken from others', async () => {
    const ahead = Date.now() + 300_000;
    await new WaitingLists(shard).defer(LIST, { jobId: `t-${ID}`, token, at: ahead, delayMs: 60_000, since: ahead, fields: { deferred: 0 } });
    expect(await new WaitingLists(shard).wake(LIST, 1)).to.deep.equal({ woken: 1, left: 0 });
    expect(Number(await service.redis.zscore(shard.keys.delayed, `t-${ID}`)) / 0x1000).to.be.at.most(Date.now());
  });

  it('is undone by a cancellation, also by one of a bulk-deferred job', async () => {
    await defer();
    expect(await service.queue.cancel(ID)).to.include({ kind: 'cancelled' });
    expect(await service.redis.exists(shard.keys.waitingList(LIST), shard.keys.waitingLists)).to.equal(0);
    const [first, second] = [1, 2].map((nth) => domainTask({ id: `deferred-${nth}`, destination: { type: 'http', url: `${LIST}/hook` }, retryPolicy: { maxRetries: 0, initialDelayMs: 0, baseDelayMs: 1_000, maxDelayMs: 1_000, jitter: 'none' } }));
    if (first === undefined || second === undefined) throw new Error('no task');
    for (const task of [first, second]) await service.queue.submit(task);
    expect(await new WaitingLists(shard).bulkDefer({ flows: [[flowNamed(`${LIST}/hook`, LIST), 'paused']], known: [] }, 100, Date.now(), Date.now() + UNTIL_MS)).to.include({ deferred: 2 });
    const waitingList = shard.keys.waitingList(flowNamed(`${LIST}/hook`, LIST).id);
    await service.queue.cancel(first.id);
    expect(await service.redis.zrange(waitingList, '0', '-1'), 'the other one still waits').to.deep.equal([`t-${second.id}`]);
    await service.queue.cancel(second.id);
    expect(await service.redis.exists(waitingList, shard.keys.waitingLists)).to.equal(0);
  });

  it('leaves no hint of a job that another worker holds by now', async () => {
    token = 'of-another-worker';
    const failure: unknown = await defer().catch((error: unknown) => error);
    expect(failure).to.be.an('error').with.property('message').that.matches(/lock/i);
    expect(await hints()).to.deep.equal([]);
    expect(await service.redis.llen(shard.keys.active)).to.equal(1);
  });

  it('is not hurt by SCRIPT FLUSH', async () => {
    await service.redis.script('FLUSH');
    expect(await defer()).to.equal(1);
  });
});
