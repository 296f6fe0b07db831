import { expect } from 'chai';

import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { parkTasks, readBulkAction, startBulkAction, submitAll, tellBulkAction, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, cancel, getTask, httpTask, retryNow, submitNew, uniqueId, waitForState, type WireTask } from '../../../support/tasks.js';

const HOUR_S = 3_600;
const anna = { type: 'anonymous', id: null, name: null, operator: 'Anna' };

describe('an action that sends waiting tasks now', () => {
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    receiver.on('/refuses', { kind: 'answer', status: 400 });
    service = await InProcessService.ready({ shards: 2, dead: { attempts: 2, baseDelayMs: HOUR_S * 1_000, maxDelayMs: HOUR_S * 1_000 } });
    // Before a worker starts: it learns of a pause a moment later.
    for (const path of ['/held', '/held-too']) await tell(path, 'pause');
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  async function waiting(path: string, count: number, changes: Partial<WireTask> = {}): Promise<string[]> {
    const tasks = Array.from({ length: count }, () => httpTask(receiver.url(path), { initial_delay: HOUR_S, max_retries: 1, base_delay: HOUR_S, ...changes }));
    await submitAll(service.baseUrl, tasks);
    return tasks.map(({ id }) => id);
  }

  /** POST /destinations/:key/pause and resume. */
  async function tell(path: string, verb: 'pause' | 'resume'): Promise<void> {
    expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(receiver.url(path))}/${verb}`, { method: 'POST' })).status).to.equal(200);
  }

  it('counts how the first sends ended, whatever follows them, and then comes to rest', async () => {
    const ids = [...(await waiting('/', 5)), ...(await waiting('/refuses', 2)), ...(await waiting('/refuses', 1, { max_retries: 0, on_exhausted: 'park' }))];
    const shown = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'send_now', ids }));
    expect(shown).to.deep.include({ state: 'done', started: 8, in_progress: 0, delivered: 0, failed_again: 0, first_sends: { delivered: 5, failed: 3 } });
  }).timeout(30_000);

  it('counts a dead letter that arrives as delivered, and a task that is cancelled before its send not at all', async () => {
    const [dead = ''] = await waiting('/refuses', 1, { max_retries: 0, initial_delay: 0, dead_destination: { url: receiver.url('/dead') } });
    receiver.on('/dead', { kind: 'answer', status: 503 });
    await eventually(async () => { expect((await getTask(service.baseUrl, dead)).waiting_for).to.deep.include({ code: 'dead_backoff' }); });
    receiver.on('/dead', { kind: 'answer' });
    const [held = ''] = await waiting('/held', 1);
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', ids: [dead, held] });
    await eventually(async () => { expect(await readBulkAction(service.baseUrl, id)).to.deep.include({ state: 'done', started: 2, settled_at: null, first_sends: { delivered: 1, failed: 0 } }); });
    await eventually(async () => { expect((await cancel(service.baseUrl, held)).status).to.equal(200); });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ first_sends: { delivered: 1, failed: 0 } });
  }).timeout(30_000);

  it('pauses itself when they fail, and goes on when a person resumes it', async () => {
    const ids = await waiting('/refuses', 60);
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', ids, rate: 10 });
    const paused = await waitForBulkAction(service.baseUrl, id, 'paused');
    expect(paused.state_reason?.code).to.equal('failing');
    expect(paused.pending, 'it has not gone through all of them').to.be.greaterThan(0);
    receiver.on('/refuses', { kind: 'answer' });
    await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":null}' });
    expect((await tellBulkAction(service.baseUrl, id, 'resume')).status).to.equal(200);
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', started: 60 });
    receiver.on('/refuses', { kind: 'answer', status: 400 });
  }).timeout(60_000);

  it('is told of a task that an earlier action has started again, and so is that one', async () => {
    const [task = ''] = await parkTasks(service.baseUrl, receiver.url('/refuses'), 1, { max_retries: 1, base_delay: 0.05 });
    await tell('/refuses', 'pause');
    const redrive = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [task] });
    await waitForBulkAction(service.baseUrl, redrive, 'done');
    const sendNow = await startBulkAction(service.baseUrl, { action: 'send_now', ids: [task] });
    // A worker may be looking at it just then.
    const { started } = await waitForBulkAction(service.baseUrl, sendNow, 'done');
    await tell('/refuses', 'resume');
    expect(await waitUntilSettled(service.baseUrl, redrive)).to.deep.include({ in_progress: 0, failed_again: 1, first_sends: { delivered: 0, failed: 1 } });
    expect(await waitUntilSettled(service.baseUrl, sendNow)).to.deep.include({ first_sends: { delivered: 0, failed: started } });
  }).timeout(30_000);

  it('sends no task once more that another one has sent meanwhile, and that failed again', async () => {
    receiver.on('/fails', { kind: 'answer', status: 503 });
    const ids = await waiting('/fails', 3, { initial_delay: 0, max_retries: 5 });
    for (const id of ids) await waitForState(service.baseUrl, id, 'retrying');
    const sendsOf = (id: string): number => receiver.requestsFor(id).length;
    const slow = await startBulkAction(service.baseUrl, { action: 'send_now', ids, rate: 0.001 });
    await eventually(() => { expect(ids.map(sendsOf).sort()).to.deep.equal([1, 1, 2]); });
    const left = ids.filter((id) => sendsOf(id) === 1);
    await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'send_now', ids: left.slice(0, 1) }));
    await call(service.baseUrl, `/bulk-actions/${slow}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":null}' });
    expect(await waitUntilSettled(service.baseUrl, slow)).to.deep.include({ started: 2, skipped: { changed: 1, gone: 0, being_sent: 0, over_limit: 0 } });
    expect(ids.map(sendsOf)).to.deep.equal([2, 2, 2]);
  }).timeout(30_000);

  it('goes on with tasks that an older version has written down, without their sends', async () => {
    receiver.on('/older', { kind: 'answer', status: 503 });
    const [task = '', other = ''] = await waiting('/older', 2, { initial_delay: 0 });
    for (const each of [task, other]) await waitForState(service.baseUrl, each, 'retrying');
    receiver.on('/older', { kind: 'answer' });
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', ids: [task, other], rate: 0.001 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).started).to.equal(1); });
    for (const shard of await service.queue.shards()) {
      for (const member of await service.redis.zrange(shard.keys.bulkList(id), '0', '-1')) {
        expect(member).to.match(/ 01 retrying$/);
        await service.redis.zadd(shard.keys.bulkList(id), 1, member.replace(' 01 ', ' 1 '));
        await service.redis.zrem(shard.keys.bulkList(id), member);
      }
    }
    await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":null}' });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ started: 2, first_sends: { delivered: 2, failed: 0 } });
  }).timeout(30_000);

  it('sends what failed last in the hands of an older version, which notes no sends, or left the number of an earlier one', async () => {
    receiver.on('/old-hands', { kind: 'answer', status: 503 });
    const ids = await waiting('/old-hands', 4, { initial_delay: 0 });
    for (const each of ids) await waitForState(service.baseUrl, each, 'retrying');
    for (const shard of await service.queue.shards()) {
      for (const each of ids.slice(0, 2)) await service.redis.hdel(shard.keys.job(each), jobField.failure);
      for (const each of ids.slice(2)) {
        const [made] = await service.redis.hmget(shard.keys.job(each), jobField.attemptsMade);
        if (typeof made === 'string') await service.redis.hset(shard.keys.job(each), jobField.attemptsMade, String(Number(made) + 1));
      }
    }
    receiver.on('/old-hands', { kind: 'answer' });
    for (const asked of [{ ids: ids.filter((_, nth) => nth % 2 === 0) }, { filter: { destination_key: receiver.url('/old-hands'), state: 'retrying' } }]) {
      expect(await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'send_now', ...asked }))).to.deep.include({ started: 2, first_sends: { delivered: 2, failed: 0 } });
    }
  }).timeout(30_000);

  it('writes a task down once, however often it is sent, ends and begins again while tasks are looked for', async () => {
    const [{ client, keys } = expect.fail('there is no shard')] = await service.queue.shards();
    const id = uniqueId('ba');
    const list = keys.bulkList(id);
    const found: readonly (readonly [member: string, mayHaveMoved: '1' | ''])[] = [['t-y 01 retrying', ''], ['t-x 1 retrying', ''], ['t-x 01 retrying', ''], ['t-x 001 retrying', '1'], ['t-x 0001 dead_lettering', '1'], ['t-x 2 scheduled', '1'], ['t-x 02 retrying', '1']];
    for (const [nth, [member, mark]] of found.entries()) {
      await client.runCommand('krsBulkWriteDownFound', [keys.bulkCounts(id), list, keys.bulkLease(id), 'worker', 60_000, 1, nth === 0 ? '' : nth, nth + 1, '', 0, 1, member, mark]);
      if (nth > 0) expect(await service.redis.zrange(list, '0', '-1')).to.have.members(['t-y 01 retrying', member]);
    }
    await service.redis.unlink(keys.bulkCounts(id), list, keys.bulkLease(id));
  });

  it('stands in the timeline of each task with the person who asked for it, and so does a single call', async () => {
    const [bulk = '', single = ''] = await waiting('/', 2);
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', ids: [bulk] }, { 'x-operator': 'Anna' });
    expect((await retryNow(service.baseUrl, single, { 'x-operator': 'Anna' })).status).to.equal(202);
    for (const [task, named] of [[bulk, { bulk_action_id: id, by: anna }], [single, { by: anna }]] as const) {
      await waitForState(service.baseUrl, task, 'delivered');
      const { timeline } = await getTask(service.baseUrl, task);
      expect(timeline.map(({ kind }) => kind)).to.deep.equal(['released', 'attempt']);
      const { released_at: at, ...mark } = timeline[0] ?? expect.fail('it has no entry');
      expect(mark).to.deep.equal({ kind: 'released', run: 1, error_code: null, count: 1, ...named });
      expect(at).to.match(/Z$/);
    }
  }).timeout(30_000);

  it('leaves a task that is held back in its place, and says in its timeline what was done', async () => {
    const task = httpTask(receiver.url('/held-too'));
    await submitNew(service.baseUrl, task);
    await eventually(async () => { expect((await getTask(service.baseUrl, task.id)).waiting_for).to.deep.include({ code: 'paused' }); });
    for (let nth = 0; nth < 12; nth += 1) await eventually(async () => { expect((await retryNow(service.baseUrl, task.id)).status).to.equal(202); });
    await eventually(async () => {
      const { waiting_for: waits, timeline } = await getTask(service.baseUrl, task.id);
      expect(waits).to.deep.include({ code: 'paused' });
      expect(timeline.filter(({ kind }) => kind === 'released').length, 'the newest ones').to.equal(10);
    });
    await tell('/held-too', 'resume');
    await waitForState(service.baseUrl, task.id, 'delivered');
  }).timeout(30_000);
});
