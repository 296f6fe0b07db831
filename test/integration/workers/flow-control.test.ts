import { expect } from 'chai';

import { flowOf } from '../../../shared/domain/flow/flow-key.js';
import { WaitingLists } from '../../../shared/queue/flow/waiting-lists.js';
import type { Shard } from '../../../shared/queue/engine/shard.js';
import { eventually } from '../../support/eventually.js';
import { putHint } from '../../support/hints.js';
import { jobField } from '../../../shared/queue/engine/job-fields.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { InProcessService } from '../../support/service-in-process.js';
import { getTask, httpTask, submitNew, timeOf, waitForState, type WireTask } from '../../support/tasks.js';

describe('flow control', () => {
  let service: InProcessService;
  let slow: Receiver;
  let fast: Receiver;

  beforeEach(async () => {
    service = await InProcessService.ready();
    [slow, fast] = await Promise.all([createReceiver(), createReceiver()]);
    fast.on('/hook', { kind: 'answer' });
  });
  afterEach(async () => {
    await service.close();
    await Promise.all([slow.close(), fast.close()]);
  });

  async function shard(): Promise<Shard> {
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    return first;
  }

  async function submit(count: number, receiver: Receiver, changes: Partial<WireTask> = {}): Promise<WireTask[]> {
    const tasks = Array.from({ length: count }, () => httpTask(receiver.url('/hook'), changes));
    for (const task of tasks) await submitNew(service.baseUrl, task);
    return tasks;
  }

  it('defers, uncounted, what a slow destination has no room for; others go on; it is woken when there is room', async () => {
    let isSlow = true;
    slow.on('/hook', () => (isSlow ? { kind: 'answer', delayMs: 1_500 } : { kind: 'answer' }));
    const waiting = await submit(12, slow);
    await service.startWorker({ concurrency: 4 });
    const deferred = await eventually(async () => {
      const all = await Promise.all(waiting.map(({ id }) => getTask(service.baseUrl, id)));
      const busy = all.filter(({ waiting_for }) => waiting_for?.code === 'destination_busy');
      expect(busy.length, 'two are in flight').to.equal(10);
      return busy;
    });
    for (const { state, attempt, timeline, next_attempt_at } of deferred) {
      expect([state, attempt]).to.deep.equal(['scheduled', 0]);
      expect(timeline.at(-1)).to.include({ reason: 'destination_busy' });
      expect(timeOf(next_attempt_at) - Date.now(), 'by itself it comes back after a minute').to.be.within(50_000, 65_000);
    }
    const healthy = await submit(20, fast);
    for (const { id } of healthy) await waitForState(service.baseUrl, id, 'delivered');
    expect(slow.requests.length, 'meanwhile').to.be.at.most(4);
    isSlow = false;
    for (const { id } of waiting) await waitForState(service.baseUrl, id, 'delivered', { withinMs: 10_000 });
    expect(slow.requests.map(({ headers }) => headers['x-retry-attempt'])).to.deep.equal(waiting.map(() => '0'));
    const { client, keys } = await shard();
    expect([await client.zcard(keys.waitingLists), await client.zcard(keys.delayed)], 'nothing is left behind').to.deep.equal([0, 0]);
  });

  it('goes on where it was when the worker that deferred is gone and its hints are lost', async () => {
    slow.on('/hook', { kind: 'answer', delayMs: 700 });
    const waiting = await submit(6, slow);
    await service.startWorker({ concurrency: 4 });
    const { client, keys } = await shard();
    await eventually(async () => expect(await client.zcard(keys.delayed)).to.equal(4));
    // As if a crash had come between the deferral and its hint; then as if a minute were over.
    const { id: waitingList } = flowOf({ type: 'http', url: slow.url('/hook') }, undefined);
    expect(await client.zcard(keys.waitingList(waitingList))).to.be.at.least(3);
    await client.del(keys.waitingLists, keys.waitingList(waitingList));
    for (const { id } of waiting) await service.redis.zadd(keys.delayed, 'XX', 4_096, `t-${id}`);
    for (const { id } of waiting) await waitForState(service.baseUrl, id, 'delivered', { withinMs: 10_000 });
    expect(slow.requests).to.have.lengthOf(6);
  });

  it('never wakes a task that was sent since and waits for its backoff: nothing is early', async () => {
    slow.on('/hook', { kind: 'answer', status: 500 });
    const [task] = await submit(1, slow, { max_retries: 1, base_delay: 600, initial_delay: 0 });
    await service.startWorker({ concurrency: 4 });
    const id = task?.id ?? '';
    await waitForState(service.baseUrl, id, 'retrying');
    const open = await shard();
    const waitingLists = new WaitingLists(open);
    const job = open.keys.job(id);
    // A hint of a deferral before the attempt: the number of that fetch is not the job's any more.
    await service.redis.hset(job, jobField.deferredAt, 0);
    await putHint(service.redis, open, 'http://elsewhere', `t-${id}`, 1_000);
    expect(await waitingLists.next(10)).to.deep.equal(['http://elsewhere']);
    expect(await waitingLists.wake('http://elsewhere', 5)).to.deep.equal({ woken: 0, left: 0 });
    expect(await waitingLists.next(10)).to.deep.equal([]);
    // The same hint, were it true.
    await service.redis.hset(job, jobField.deferredAt, (await service.redis.hget(job, jobField.fetches)) ?? '');
    await putHint(service.redis, open, 'http://elsewhere', `t-${id}`, 1_000);
    expect(await waitingLists.wake('http://elsewhere', 5)).to.deep.equal({ woken: 1, left: 0 });
    await eventually(() => expect(slow.requestsFor(id)).to.have.lengthOf(2));
  });
});
