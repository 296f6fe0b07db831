import { expect } from 'chai';

import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { readBulkAction, startBulkAction, waitForBulkAction } from '../../../../support/bulk-actions.js';
import { eventually } from '../../../../support/eventually.js';
import { lockOf } from '../../../../support/shard-keys.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { PrivateRedis } from '../../../../support/redis.js';
import { connect, InProcessService } from '../../../../support/service-in-process.js';
import { cancel, getTask, httpTask, retryNow, submitNew, uniqueId, waitForState, type WireTask } from '../../../../support/tasks.js';

describe('TaskQueue.cancel and the workers', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let shard: Shard;

  beforeEach(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  async function submitted(changes: Partial<WireTask> = {}): Promise<string> {
    const task = httpTask(receiver.url('/'), changes);
    await submitNew(service.baseUrl, task);
    return task.id;
  }

  /** Puts a due task into one of the lists. */
  async function moveTo(list: 'wait' | 'paused' | 'active', id: string): Promise<void> {
    await service.redis.multi().zrem(shard.keys.prioritized, `t-${id}`).lpush(shard.keys[list], `t-${id}`).exec();
  }

  for (const [name, changes, place] of [
    ['a normal task', {}, 'prioritized'],
    ['a priority task', { is_priority: true }, 'prioritized'],
    ['a priority task of an older version', { is_priority: true }, 'wait'],
  ] as const) {
    it(`takes ${name} that is due and waits for a slot`, async () => {
      const id = await submitted(changes);
      if (place === 'wait') await moveTo('wait', id);
      const length = async (): Promise<number> => (place === 'wait' ? service.redis.llen(shard.keys.wait) : service.redis.zcard(shard.keys[place]));
      expect(await length()).to.equal(1);
      expect(await service.queue.cancel(id)).to.deep.equal({ kind: 'cancelled' });
      expect(await length()).to.equal(0);
      // Behind it: when this one is delivered, the first would have been.
      const next = await submitted(changes);
      await service.startWorker();
      await waitForState(service.baseUrl, next, 'delivered');
      expect(receiver.requestsFor(id)).to.have.lengthOf(0);
      expect((await getTask(service.baseUrl, id)).state).to.equal('cancelled');
    });
  }

  it('takes one that an older BullMQ has set aside in its list of paused jobs', async () => {
    const id = await submitted({ is_priority: true });
    await moveTo('paused', id);
    expect(await service.queue.cancel(id)).to.deep.equal({ kind: 'cancelled' });
    expect(await service.redis.llen(shard.keys.paused)).to.equal(0);
  });

  it('leaves a task whose worker has died to the stall check, though its lock has lapsed', async () => {
    const id = await submitted({ is_priority: true });
    // A worker took it, and is gone.
    await moveTo('active', id);
    expect(await service.queue.cancel(id)).to.deep.equal({ kind: 'being_sent' });
    expect(await service.queue.retryNow(id)).to.deep.equal({ kind: 'being_sent' });
    expect(await service.redis.lrange(shard.keys.active, '0', '-1')).to.deep.equal([`t-${id}`]);
    // The stall check finds it.
    await service.redis.rename(shard.keys.active, shard.keys.wait);
    expect(await service.queue.cancel(id)).to.deep.equal({ kind: 'cancelled' });
  });

  it('is not overwritten by the late outcome of a worker that had lost the task', async () => {
    receiver.on('/', { kind: 'answer', delayMs: 400 });
    await service.startWorker();
    const id = await submitted();
    await receiver.waitForRequests(1);
    // As if it had been frozen for longer than its lock, and the stall check of another worker had put the task back. Into the
    // list of paused jobs: out of the list of waiting ones the same worker may take it again before it is cancelled.
    await service.redis.del(lockOf(shard.keys.job(id)));
    await service.redis.rename(shard.keys.active, shard.keys.paused);
    expect(await service.queue.cancel(id)).to.deep.equal({ kind: 'cancelled' });
    receiver.on('/', { kind: 'answer', delayMs: 400 });
    // Its answer comes after that of the first.
    const next = await submitted();
    await waitForState(service.baseUrl, next, 'delivered');
    expect((await getTask(service.baseUrl, id)).state).to.equal('cancelled');
    expect(receiver.requestsFor(id)).to.have.lengthOf(1);
  });

  it('parts 100 tasks with a worker that takes them: each is cancelled and not received, or delivered once', async () => {
    receiver.on('/', { kind: 'answer', delayMs: 5 });
    const ids: string[] = [];
    for (let nth = 0; nth < 100; nth += 1) ids.push(await submitted());
    await service.startWorker({ concurrency: 5 });
    await receiver.waitForRequests(1);
    // The worker begins with the oldest, we with the newest: they meet.
    const statuses = new Map<string, number>();
    for (const id of ids.toReversed()) statuses.set(id, (await cancel(service.baseUrl, id)).status);
    for (const id of ids) {
      const status = statuses.get(id);
      const { state } = await eventually(async () => {
        const shown = await getTask(service.baseUrl, id);
        expect(shown.state).to.be.oneOf(['cancelled', 'delivered']);
        return shown;
      });
      expect([status, state, receiver.requestsFor(id).length], id).to.deep.equal(status === 200 ? [200, 'cancelled', 0] : [409, 'delivered', 1]);
    }
    const cancelled = ids.filter((id) => statuses.get(id) === 200).length;
    expect(cancelled, 'a race that one side wins is none').to.be.within(1, 99);
  });

  it('shares out a parked task with a redrive: exactly one of them gets it', async () => {
    receiver.on('/down', { kind: 'answer', status: 500 });
    await service.startWorker();
    for (let round = 0; round < 10; round += 1) {
      const { dead_destination: _none, ...task } = httpTask(receiver.url('/down'), { id: uniqueId('parked'), on_exhausted: 'park' });
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'parked');
      receiver.on('/down', { kind: 'answer', delayMs: 50 });
      const [first, second] = await Promise.all([service.queue.redrive(task.id), service.queue.cancel(task.id)]);
      if (second.kind === 'deleted') expect(first.kind).to.be.oneOf(['not_found', 'not_dead']);
      else expect(first).to.include({ kind: 'redriven', run: 2 });
      // Redriven and then cancelled before a worker took it is possible: then it is not sent.
      if (second.kind === 'being_sent') await waitForState(service.baseUrl, task.id, 'delivered');
      receiver.on('/down', { kind: 'answer', status: 500 });
    }
  });
});

describe('cancelling and sending now when Redis', () => {
  let redis: PrivateRedis;
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    receiver.on('/down', { kind: 'answer', status: 500 });
    redis = await PrivateRedis.start(['--maxmemory-policy', 'noeviction']);
    service = await InProcessService.ready({ redis: redis.address });
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await redis.close();
    await receiver.close();
  });

  async function tell(...command: [string, ...string[]]): Promise<void> {
    const client = connect('worker', redis.address);
    await client.call(...command);
    client.disconnect();
  }

  async function waiting(): Promise<string> {
    const task = httpTask(receiver.url('/'), { initial_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    return task.id;
  }

  async function parked(): Promise<string> {
    const { dead_destination: _none, ...task } = httpTask(receiver.url('/down'), { id: uniqueId('parked'), on_exhausted: 'park' });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'parked');
    return task.id;
  }

  it('has lost the scripts: as ever', async () => {
    const ids = [await waiting(), await waiting()];
    const kept = [await parked(), await parked()];
    receiver.on('/down', { kind: 'answer' });
    const statuses: number[] = [];
    for (const [ask, id] of [[cancel, ids[0]], [retryNow, ids[1]], [cancel, kept[0]], [retryNow, kept[1]]] as const) {
      await tell('SCRIPT', 'FLUSH');
      statuses.push((await ask(service.baseUrl, id ?? '')).status);
    }
    expect(statuses).to.deep.equal([200, 202, 200, 202]);
    for (const id of [ids[1], kept[1]]) await waitForState(service.baseUrl, id ?? '', 'delivered');
    await tell('SCRIPT', 'FLUSH');
    const [shard] = await service.queue.shards();
    expect(await service.redis.zcard(shard?.keys.failed ?? '')).to.equal(0);
    expect((await service.queue.counts(1_000)).counts).to.include({ ended: 3, cancelled: 1 });
    receiver.on('/down', { kind: 'answer', status: 500 });
  });

  it('is full: cancelled all the same, since it takes no room; not sent, and not changed', async () => {
    const [first, second, third, fourth] = [await waiting(), await waiting(), await parked(), await parked()];
    const many = [await waiting(), await waiting(), await waiting()];
    const bulk = await startBulkAction(service.baseUrl, { action: 'cancel', ids: many, expected: 3, reason: 'no room', rate: 2 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, bulk)).started).to.be.at.least(1); });
    await tell('CONFIG', 'SET', 'maxmemory', '1mb');
    try {
      const answers = [await cancel(service.baseUrl, first), await cancel(service.baseUrl, third), await retryNow(service.baseUrl, second), await retryNow(service.baseUrl, fourth)];
      expect(answers.map(({ status, body }) => [status, body['state'] ?? body['code']])).to.deep.equal([
        [200, 'cancelled'],
        [200, 'deleted'],
        [503, 'redis_full'],
        [503, 'redis_full'],
      ]);
      expect((await getTask(service.baseUrl, second)).waiting_for?.code).to.equal('initial_delay');
      expect(await getTask(service.baseUrl, fourth)).to.include({ state: 'parked', run: 1 });
      // One that cancels many goes on as well.
      expect(await waitForBulkAction(service.baseUrl, bulk, 'done')).to.include({ started: 3, pending: 0 });
    } finally {
      await tell('CONFIG', 'SET', 'maxmemory', '0');
    }
    expect((await retryNow(service.baseUrl, second)).status).to.equal(202);
    await waitForState(service.baseUrl, second, 'delivered', { withinMs: 20_000 });
  });
});
