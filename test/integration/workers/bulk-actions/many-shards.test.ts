import { expect } from 'chai';

import { askBulkAction, parkTasks, readBulkAction, startBulkAction, submitAll, tellBulkAction, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import type { Shard } from '../../../../shared/queue/engine/shard.js';
import { bulkKeys } from '../../../../shared/queue/fleet-keys.js';
import { eventually } from '../../../support/eventually.js';
import { idInShard } from '../../../support/id-in-shard.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, waitForState } from '../../../support/tasks.js';

const SHARDS = 16;
const HOUR_S = 3_600;

describe(`bulk actions over ${SHARDS} shards`, () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = true;
    receiver = await createReceiver();
    // A 4xx says nothing about the receiver as a whole, so no circuit opens.
    receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 400 : 200 }));
    service = await InProcessService.ready({ shards: SHARDS });
    await service.startWorker();
    await service.startWorker();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const runsOf = (id: string): unknown[] => receiver.requestsFor(id).map(({ headers }) => headers['x-retry-run']);

  it('start what their dry run has counted, each once, and nothing else', async () => {
    const [mine, others] = await Promise.all([parkTasks(service.baseUrl, receiver.url('/hook'), 160, { client_id: 'acme' }), parkTasks(service.baseUrl, receiver.url('/hook'), 40)]);
    isDown = false;
    const filter = { client_id: ['acme'], state: 'parked' };
    const dry = await askBulkAction(service.baseUrl, { action: 'redrive', filter, dry_run: true });
    expect([dry.status, dry.body['matched'], dry.body['is_exact'], dry.body['next_cursor']]).to.deep.equal([200, 160, true, null]);
    const shown = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', filter, expected: 160 }));
    expect(shown).to.deep.include({ state: 'done', matched: 160, started: 160, delivered: 160 });
    for (const id of mine) expect(runsOf(id), id).to.deep.equal(['1', '2']);
    for (const id of others) expect(runsOf(id), id).to.deep.equal(['1']);
  }).timeout(60_000);

  it('start no task twice, though three of them want the same ones at once', async () => {
    const ids = await parkTasks(service.baseUrl, receiver.url('/hook'), 160);
    isDown = false;
    const actions = await Promise.all([
      startBulkAction(service.baseUrl, { action: 'redrive', filter: { state: 'parked' } }),
      startBulkAction(service.baseUrl, { action: 'redrive', filter: { q: 'state:parked,dead_lettered' }, order: 'newest' }),
      startBulkAction(service.baseUrl, { action: 'redrive', ids }),
    ]);
    const shown = await Promise.all(actions.map((id) => waitUntilSettled(service.baseUrl, id)));
    expect(shown.reduce((sum, { started }) => sum + started, 0)).to.equal(160);
    for (const id of ids) expect(runsOf(id), id).to.deep.equal(['1', '2']);
  }).timeout(60_000);

  it('do once more what failovers took back in some shards, within the limit, and without tasks that came or were parked since', async () => {
    const before = Array.from({ length: SHARDS }, (_, nth) => httpTask(receiver.url('/hook'), { id: idInShard(nth, SHARDS), on_exhausted: 'park', initial_delay: HOUR_S }));
    await submitAll(service.baseUrl, before);
    await parkTasks(service.baseUrl, receiver.url('/hook'), 80);
    const id = await startBulkAction(service.baseUrl, { action: 'delete', filter: { state: 'parked' }, reason: 'test', expected: 80, limit: 50, rate: 1 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).matched).to.equal(80); });
    expect((await tellBulkAction(service.baseUrl, id, 'pause')).status).to.equal(200);
    const untouched: Shard[] = [];
    for (const shard of await service.queue.shards()) if ((await service.redis.hget(shard.keys.bulkCounts(id), 'started')) === null) untouched.push(shard);
    // Replicas that were promoted had not heard of the seal, or of nothing at all.
    for (const [nth, { keys }] of untouched.slice(0, 8).entries()) {
      if (nth % 2 === 0) await service.redis.hdel(keys.bulkCounts(id), 'matched', 'pending', 'overLimit');
      else await service.redis.del(keys.bulkCounts(id), keys.bulkList(id));
    }
    const later = Array.from({ length: SHARDS }, (_, nth) => httpTask(receiver.url('/hook'), { id: idInShard(nth, SHARDS), on_exhausted: 'park' }));
    await submitAll(service.baseUrl, later);
    await startBulkAction(service.baseUrl, { action: 'send_now', ids: before.map((task) => task.id) });
    const others = [...before, ...later].map((task) => task.id);
    await Promise.all(others.map((task) => waitForState(service.baseUrl, task, 'parked', { withinMs: 30_000 })));
    expect((await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":null}' })).status).to.equal(200);
    expect((await tellBulkAction(service.baseUrl, id, 'resume')).status).to.equal(200);
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', matched: 80, started: 50 });
    const states = await Promise.all(others.map(async (task) => (await call(service.baseUrl, `/tasks/${task}`)).body['state']));
    expect(new Set(states)).to.deep.equal(new Set(['parked']));
  }).timeout(60_000);

  it('go on when a failover took a part back behind their end', async () => {
    receiver.on('/held', () => ({ kind: 'hang' }));
    const tasks = Array.from({ length: 48 }, () => httpTask(receiver.url('/held'), { initial_delay: HOUR_S }));
    await submitAll(service.baseUrl, tasks);
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', filter: { state: 'scheduled' }, rate: 1 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).matched).to.equal(48); });
    expect((await tellBulkAction(service.baseUrl, id, 'pause')).status).to.equal(200);
    const untouched: Shard[] = [];
    for (const shard of await service.queue.shards()) if ((await service.redis.hget(shard.keys.bulkCounts(id), 'started')) === null && (await service.redis.exists(shard.keys.bulkList(id))) === 1) untouched.push(shard);
    const { keys } = untouched[0] ?? expect.fail('each shard was touched');
    const before = await Promise.all([keys.bulkCounts(id), keys.bulkList(id)].map(async (key) => [key, await service.redis.dumpBuffer(key)] as const));
    const pending = Number(await service.redis.hget(keys.bulkCounts(id), 'pending'));
    await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":null}' });
    expect((await tellBulkAction(service.baseUrl, id, 'resume')).status).to.equal(200);
    await waitForBulkAction(service.baseUrl, id, 'done');
    for (const [key, value] of before) await service.redis.restore(key, 0, value, 'REPLACE');
    // The tasks themselves were not taken back, so they are skipped now.
    await eventually(async () => {
      const { body } = await call(service.baseUrl, `/bulk-actions/${id}`);
      expect(body).to.deep.include({ state: 'done', pending: 0, started: 48 - pending });
      expect(body['skipped']).to.deep.include({ changed: 0, being_sent: pending });
    }, { withinMs: 20_000 });
  }).timeout(60_000);

  it('pause when a failover took back changes that the shards have heard of, which may have been a stop, and can be resumed', async () => {
    isDown = false;
    await submitAll(service.baseUrl, Array.from({ length: 48 }, () => httpTask(receiver.url('/hook'), { initial_delay: HOUR_S })));
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', filter: { state: 'scheduled' }, rate: 1 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).matched).to.equal(48); });
    const key = bulkKeys(service.prefix, false).action(id);
    const before = await service.redis.hget(key, 'epoch');
    for (const rate of [1, 2, 3, 20]) await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: `{"rate":${rate}}` });
    await service.redis.hset(key, 'epoch', before ?? expect.fail('there is no epoch'));
    const { state_reason: reason, started } = await waitForBulkAction(service.baseUrl, id, 'paused');
    expect(reason).to.include({ code: 'changes_lost' });
    expect(started).to.be.below(48);
    expect((await tellBulkAction(service.baseUrl, id, 'resume')).status).to.equal(200);
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', started: 48 });
  }).timeout(60_000);

  it('go on at a new rate as soon as it is set', async () => {
    const tasks = Array.from({ length: 600 }, () => httpTask(receiver.url('/hook'), { initial_delay: HOUR_S }));
    isDown = false;
    await submitAll(service.baseUrl, tasks);
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', filter: { state: 'scheduled' }, rate: 10 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).started).to.be.greaterThan(0); });
    const askedAt = Date.now();
    const { status, body } = await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":200}' });
    expect([status, body['state'], body['rate']]).to.deep.equal([200, 'running', 200]);
    const left = body['pending'] as number;
    const { done_at: doneAt, started } = await waitForBulkAction(service.baseUrl, id, 'done', { withinMs: 50_000 });
    const seconds = (Date.parse(doneAt ?? '') - askedAt) / 1_000;
    expect(started).to.equal(600);
    // Half a second may be made up for. A crowded machine may be slower, never much faster; at the old rate it would take a minute.
    expect(seconds).to.be.within(left / 200 - 0.5, 45);
  }).timeout(90_000);
});
