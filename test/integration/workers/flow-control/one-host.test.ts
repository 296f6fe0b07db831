import { expect } from 'chai';

import { deadFlowOf, flowNamed, type Flow } from '../../../../shared/domain/destinations/flow.js';
import { circuitOfOthers } from '../../../../shared/domain/flow/circuit-names.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { WaitingLists } from '../../../../shared/queue/flow/waiting-lists.js';
import { eventually } from '../../../support/eventually.js';
import type { Receiver } from '../../../support/receiver.js';
import { call, getTask, httpTask, submitNew, waitForState, type WireTask } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

/** Sends that hang do so until the test is over: none of them makes room by coming to its end. */
const hanging = { deliveryTimeout: '180s' } as const;

describe('flow control, inside one host', () => {
  let fleet: Fleet;
  let receiver: Receiver;

  beforeEach(async () => {
    fleet = await Fleet.start();
    receiver = fleet.receiver;
    receiver.on('/fast', { kind: 'answer' });
  });
  afterEach(() => fleet.close());

  /** Due at once. @param path of the nth task */
  async function submit(count: number, path: (nth: number) => string, changes: Partial<WireTask> = {}, to = receiver): Promise<WireTask[]> {
    const tasks = Array.from({ length: count }, (_, nth) => httpTask(to.url(path(nth)), { max_retries: 0, ...changes }));
    for (let from = 0; from < count; from += 50) await Promise.all(tasks.slice(from, from + 50).map((task) => submitNew(fleet.service.baseUrl, task)));
    return tasks;
  }

  const delivered = async (tasks: readonly WireTask[], withinMs: number): Promise<void> => {
    await eventually(async () => expect((await Promise.all(tasks.map(({ id }) => getTask(fleet.service.baseUrl, id)))).filter(({ state }) => state === 'delivered').length).to.equal(tasks.length), { withinMs });
  };

  for (const [workers, concurrency] of [[1, 50], [2, 25]] as const) {
    it(`delivers to a fast path while a slow one answers nothing, with ${workers} worker(s) of ${concurrency} slots`, async () => {
      receiver.on('/slow', { kind: 'hang' });
      await submit(200, () => '/slow');
      const fast = await submit(200, () => '/fast');
      await fleet.hire(workers, { concurrency, ...hanging });
      await delivered(fast, 30_000);
      expect(receiver.requests.filter(({ path }) => path === '/slow').length, 'in flight to the slow one').to.be.at.most(concurrency * workers / 2 + 4);
    }).timeout(90_000);
  }

  it('starts the sends of a slow path in a row of steps, none of which waits for an answer', async () => {
    receiver.on('/slow', { kind: 'hang' });
    await submit(100, () => '/slow');
    await fleet.hire(1, { concurrency: 300, ...hanging });
    // 3/7 of the slots are more than 100.
    await receiver.waitForRequests(100, { path: '/slow', withinMs: 30_000 });
  }).timeout(90_000);

  it('takes slow tasks with a path each for one endpoint: neither another host nor another path waits for them', async () => {
    for (let nth = 0; nth < 300; nth += 1) receiver.on(`/order-${nth}`, { kind: 'hang' });
    fleet.healthy.on('/hook', { kind: 'answer' });
    await submit(300, (nth) => `/order-${nth}`);
    const elsewhere = await submit(100, () => '/hook', {}, fleet.healthy);
    const fast = await submit(100, () => '/fast');
    await fleet.hire(1, { concurrency: 50, ...hanging });
    await delivered(elsewhere, 30_000);
    await delivered(fast, 30_000);
    const { client, keys } = await fleet.shard();
    const lists = await client.zrange(keys.waitingLists, 0, -1);
    expect(lists, 'one waiting list for all of them').to.deep.equal([fleet.origin]);
  }).timeout(90_000);

  describe('when "the others" of the host fail, and their circuit is open', () => {
    let others: Flow;
    beforeEach(async () => {
      others = flowNamed(fleet.origin, fleet.origin);
      const now = Date.now();
      await fleet.service.queue.fleet.flowStore().openCircuit(circuitOfOthers(others), { openedAt: now, until: now + 600_000, coolMs: 30_000, reason: 'failures' });
    });

    it('sends the first task of a path that bulk deferral has put among them, as soon as others go to that path', async () => {
      const [first] = await submit(1, () => '/fast');
      await submit(40, (nth) => `/order-${nth}`);
      const lists = new WaitingLists(await fleet.shard());
      const now = Date.now();
      expect(await lists.bulkDefer({ flows: [[others, 'circuit_open']], known: [] }, 100, now, now + 600_000)).to.deep.equal({ looked: 41, deferred: 41 });
      await fleet.hire(1);
      const later = await submit(2, () => '/fast');
      await delivered([...(first === undefined ? [] : [first]), ...later], 30_000);
    }).timeout(90_000);

    it('tries tasks that were never sent, any number of them while they are answered, and it stays open', async () => {
      await fleet.hire(1);
      for (let nth = 0; nth < 15; nth += 1) {
        receiver.on(`/lone-${nth}`, { kind: 'answer' });
        await delivered(await submit(1, () => `/lone-${nth}`), 10_000);
      }
      const { body } = await call(fleet.service.baseUrl, `/destinations/${encodeURIComponent(fleet.origin)}`);
      expect(body['circuit']).to.include({ state: 'open', of: 'others' });
    }).timeout(90_000);

    it('tries ten of them and no more at once while they fail', async () => {
      for (let nth = 0; nth < 30; nth += 1) receiver.on(`/order-${nth}`, { kind: 'answer', status: 503 });
      await fleet.hire(1, { concurrency: 50 });
      const tasks = await submit(30, (nth) => `/order-${nth}`, { max_retries: 3, base_delay: 60 });
      await eventually(async () => expect((await Promise.all(tasks.map(({ id }) => getTask(fleet.service.baseUrl, id)))).filter(({ waiting_for }) => waiting_for?.code === 'circuit_open').length).to.be.at.least(15));
      expect(receiver.requests.length).to.be.within(10, 15);
    }).timeout(90_000);

    it('sends two tasks of a path that two workers have got, so that each has seen one', async () => {
      await fleet.hire(2, { concurrency: 20 });
      const tasks = await submit(40, (nth) => `/pair-${nth % 20}`);
      await delivered(tasks, 30_000);
    }).timeout(90_000);

    it('does so also while very many tasks wait with the others of another host', async () => {
      const [now, other] = [Date.now(), 'http://other.example'];
      await fleet.service.queue.fleet.flowStore().openCircuit(circuitOfOthers(flowNamed(other, other)), { openedAt: now, until: now + 600_000, coolMs: 30_000, reason: 'failures' });
      const { keys } = await fleet.shard();
      for (let from = 0; from < 50_000; from += 5_000) {
        await fleet.service.redis.zadd(keys.waitingList(other), ...Array.from({ length: 5_000 }, (_, nth) => [now + nth, `t-other-${from + nth}`]).flat());
      }
      await fleet.service.redis.zadd(keys.waitingLists, now, other);
      await fleet.hire(2, { concurrency: 20 });
      // They know of the many before they know of the few.
      await delivered(await submit(1, () => '/fast', {}, fleet.healthy), 30_000);
      const tasks = await submit(40, (nth) => `/pair-${nth % 20}`);
      await delivered(tasks, 30_000);
    }).timeout(90_000);
  });

  it('sends two dead letters of a path that two workers have got, while "the others" of the dead host fail', async () => {
    fleet.healthy.on('/gone', { kind: 'answer', status: 404 });
    const now = Date.now();
    const others = deadFlowOf(flowNamed(fleet.origin, fleet.origin));
    await fleet.service.queue.fleet.flowStore().openCircuit(circuitOfOthers(others), { openedAt: now, until: now + 600_000, coolMs: 30_000, reason: 'failures' });
    for (let nth = 0; nth < 20; nth += 1) receiver.on(`/pair-${nth}`, { kind: 'answer' });
    await fleet.hire(2, { concurrency: 20 });
    const tasks = (await Promise.all(Array.from({ length: 40 }, (_, nth) => submit(1, () => '/gone', { dead_destination: { url: receiver.url(`/pair-${nth % 20}`) } }, fleet.healthy)))).flat();
    for (const { id } of tasks) await waitForState(fleet.service.baseUrl, id, 'dead_lettered', { withinMs: 60_000 });
  }).timeout(120_000);

  it('delivers to a fast path beside 20 that answer nothing', async () => {
    for (let nth = 0; nth < 20; nth += 1) receiver.on(`/slow-${nth}`, { kind: 'hang' });
    await submit(400, (nth) => `/slow-${nth % 20}`);
    const fast = await submit(200, () => '/fast');
    await fleet.hire(1, { concurrency: 100, ...hanging });
    await delivered(fast, 30_000);
  }).timeout(90_000);

  it('finds a fast path among 150 that answer nothing, though these have taken the slots that they may have', async () => {
    for (let nth = 0; nth < 150; nth += 1) receiver.on(`/slow-${nth}`, { kind: 'hang' });
    await submit(450, (nth) => `/slow-${nth % 150}`);
    await fleet.hire(1, { concurrency: 50, ...hanging });
    await receiver.waitForRequests(20, { withinMs: 30_000 });
    await delivered(await submit(200, () => '/fast'), 60_000);
    expect(receiver.requests.filter(({ path }) => path.startsWith('/slow')).length, 'in flight to slow ones').to.be.within(20, 27);
  }).timeout(120_000);

  it('gives a flow_key slots of its own: a slow tenant does not hold up another one at the same path', async () => {
    receiver.on('/shared', ({ body }) => (body.toString().includes('quick') ? { kind: 'answer' } : { kind: 'hang' }));
    await submit(200, () => '/shared', { flow_key: 'slow-tenant', message_data: '"hang"' });
    const quick = await submit(100, () => '/shared', { flow_key: 'quick-tenant', message_data: '"quick"' });
    await fleet.hire(1, { concurrency: 50, ...hanging });
    await delivered(quick, 30_000);
  }).timeout(90_000);

  it('delivers dead letters to a host whose deliveries wait', async () => {
    receiver.on('/slow', { kind: 'hang' });
    receiver.on('/dead', { kind: 'answer' });
    fleet.healthy.on('/gone', { kind: 'answer', status: 404 });
    await submit(100, () => '/slow');
    const dead = await submit(20, () => '/gone', { dead_destination: { url: receiver.url('/dead') } }, fleet.healthy);
    await fleet.hire(1, { concurrency: 30, ...hanging });
    for (const { id } of dead) await waitForState(fleet.service.baseUrl, id, 'dead_lettered', { withinMs: 30_000 });
  }).timeout(90_000);

  it('holds what an endpoint has while it is paused, whatever its flow_keys, and lets other paths go on', async () => {
    receiver.on('/held', { kind: 'answer' });
    const key = `${fleet.origin}/held`;
    const held = [...(await submit(20, () => '/held')), ...(await Promise.all(Array.from({ length: 60 }, (_, nth) => submit(1, () => '/held', { flow_key: `tenant-${nth}` })))).flat()];
    const paused = await call(fleet.service.baseUrl, `/destinations/${encodeURIComponent(key)}/pause`, { method: 'POST' });
    expect(paused.status).to.equal(200);
    const fast = await submit(30, () => '/fast');
    await fleet.hire(1, { concurrency: 20, ...hanging });
    await delivered(fast, 30_000);
    const { client, keys } = await fleet.shard();
    await eventually(async () => expect(await client.zcard(keys.delayed)).to.equal(held.length));
    expect(await client.zrange(keys.waitingLists, 0, -1)).to.deep.equal([`${key}\n${fleet.origin}`]);
    const fetches = async (): Promise<number> => (await Promise.all(held.map(({ id }) => client.hget(keys.job(id), jobField.fetches)))).reduce((sum, count) => sum + Number(count), 0);
    const before = await fetches();
    await delivered(await submit(30, () => '/fast'), 30_000);
    expect(await fetches(), 'not one of them is fetched again and again').to.equal(before);
    expect(receiver.requests.filter(({ path }) => path === '/held')).to.deep.equal([]);
    await call(fleet.service.baseUrl, `/destinations/${encodeURIComponent(key)}/resume`, { method: 'POST' });
    await delivered(held, 30_000);
  }).timeout(90_000);

  it('sends what an older version put into the waiting list of the whole origin', async () => {
    receiver.on('/old', { kind: 'answer' });
    const old = await submit(40, (nth) => (nth % 2 === 0 ? '/old' : `/old-${nth}`));
    for (let nth = 1; nth < 40; nth += 2) receiver.on(`/old-${nth}`, { kind: 'answer' });
    const { keys } = await fleet.shard();
    const client = fleet.service.redis;
    const inOneHour = (Date.now() + 3_600_000) * 4_096;
    for (const [nth, { id }] of old.entries()) {
      await client.zrem(keys.prioritized, `t-${id}`);
      await client.zadd(keys.delayed, inOneHour, `t-${id}`);
      await client.hset(keys.job(id), jobField.deferredAt, 0);
      await client.zadd(keys.waitingList(fleet.origin), nth, `t-${id}`);
    }
    await client.zadd(keys.waitingLists, 0, fleet.origin);
    await fleet.hire(1);
    await delivered(old, 30_000);
    expect(await client.zcard(keys.waitingLists)).to.equal(0);
  }).timeout(90_000);
});
