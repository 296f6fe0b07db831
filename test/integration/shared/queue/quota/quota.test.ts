import { expect } from 'chai';

import { countOfClient, recountQuotas, setQuotaClients } from '../../../../../shared/queue/quota/quota-shard.js';
import { jobField } from '../../../../../shared/queue/engine/job-fields.js';
import { quotaField } from '../../../../../shared/queue/engine/quota-lua.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { sweepCompleted, sweepDeadLetters } from '../../../../../shared/queue/tasks/sweep-finished.js';
import { eventually } from '../../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { call, cancel, getTask, httpTask, retryNow, submit, submitNew, uniqueId, waitForState, type WireTask } from '../../../../support/tasks.js';

describe('the number of tasks of a client with a quota', function () {
  this.timeout(60_000);

  let service: InProcessService;
  let receiver: Receiver;
  let shard: Shard;
  let client: string;
  let version = 1;

  before(async () => {
    [service, receiver] = [await InProcessService.ready(), await createReceiver()];
    receiver.on('/down', { kind: 'answer', status: 500 });
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  const quotaFor = (...clients: string[]): Promise<void> => setQuotaClients(shard, String((version += 1)), clients);
  /** Counts anew, while `between` is called between two steps. */
  async function recount(between: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    await shard.client.hdel(shard.keys.quota, quotaField.countedAt);
    while (await recountQuotas(shard)) await between();
  }
  beforeEach(async () => {
    client = uniqueId('client');
    await quotaFor(client);
    // The worker's janitor counts anew for a new client, at any time. From here on only the transitions change the number.
    await recount();
  });

  const number = (): Promise<number | undefined> => countOfClient(shard, client);
  const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url('/ok'), { client_id: client, initial_delay: 3_600, ...changes });
  const stored = async (changes: Partial<WireTask> = {}): Promise<string> => {
    const task = waiting(changes);
    await submitNew(service.baseUrl, task);
    return task.id;
  };
  const ended = async (state: 'parked' | 'dead_lettered' | 'delivered'): Promise<string> => {
    const failing = { url: receiver.url('/down') };
    const changes = { parked: { destination: failing, on_exhausted: 'park', max_retries: 0, initial_delay: 0 }, dead_lettered: { destination: failing, max_retries: 0, initial_delay: 0, dead_destination: { url: receiver.url('/dead') }, dead_destination_type: 'http' }, delivered: { initial_delay: 0 } } as const;
    const id = await stored(changes[state]);
    await waitForState(service.baseUrl, id, state);
    return id;
  };
  const expectNumber = async (expected: number, what?: string): Promise<void> => { expect(await number(), what).to.equal(expected); };

  it('grows with each new run, and not with a repetition or a refusal', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    await expectNumber(1);
    await submit(service.baseUrl, task);
    await submit(service.baseUrl, { ...task, max_retries: 1 });
    await expectNumber(1, 'a repetition, and a conflict');
    await cancel(service.baseUrl, task.id);
    await expectNumber(0, 'cancelled');
    await submit(service.baseUrl, task);
    await expectNumber(1, 'its next run');
    await stored({ is_priority: true });
    await stored();
    await expectNumber(3);
  });

  it('falls when a task is delivered, dead-lettered or cancelled, and not when it is sent again or parked', async () => {
    await ended('delivered');
    await expectNumber(0, 'delivered');
    await ended('dead_lettered');
    await expectNumber(0, 'dead-lettered');
    const parked = await ended('parked');
    await expectNumber(1, 'parked');
    const retrying = await stored({ destination: { url: receiver.url('/down') }, initial_delay: 0, max_retries: 3, base_delay: 3_600 });
    await waitForState(service.baseUrl, retrying, 'retrying');
    await expectNumber(2, 'retrying');
    await cancel(service.baseUrl, retrying);
    await expectNumber(1, 'cancelled');
    await cancel(service.baseUrl, parked);
    await expectNumber(0, 'deleted');
  });

  it('stays when a task is made due, changed or put back, and while it is sent', async () => {
    receiver.on('/held', { kind: 'hang' });
    const held = await stored({ destination: { url: receiver.url('/held') }, initial_delay: 0 });
    await waitForState(service.baseUrl, held, 'delivering');
    await expectNumber(1, 'while it is sent');
    const id = await stored();
    await call(service.baseUrl, `/tasks/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ max_retries: 7 }) });
    await expectNumber(2, 'changed');
    await call(service.baseUrl, `/destinations/${encodeURIComponent(receiver.url('/ok'))}/pause`, { method: 'POST' });
    try {
      const deferred = async (task: string): Promise<void> => { expect((await getTask(service.baseUrl, task)).timeline.at(-1)).to.include({ reason: 'paused' }); };
      // The worker hears of the pause a moment later.
      let probe = await stored({ client_id: 'someone-else', initial_delay: 0 });
      await eventually(async () => {
        if ((await getTask(service.baseUrl, probe)).state === 'delivered') probe = await stored({ client_id: 'someone-else', initial_delay: 0 });
        await deferred(probe);
      });
      await retryNow(service.baseUrl, id);
      await eventually(() => deferred(id));
      await expectNumber(2, 'deferred');
    } finally {
      await call(service.baseUrl, `/destinations/${encodeURIComponent(receiver.url('/ok'))}/resume`, { method: 'POST' });
    }
    await waitForState(service.baseUrl, id, 'delivered');
    await expectNumber(1);
  });

  it('grows when a dead letter starts again, and stays when a parked task does', async () => {
    const [dead, parked] = [await ended('dead_lettered'), await ended('parked')];
    await expectNumber(1);
    for (const id of [dead, parked]) {
      await call(service.baseUrl, `/tasks/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ destination: { url: receiver.url('/held') } }) });
    }
    await retryNow(service.baseUrl, dead);
    await expectNumber(2, 'the dead letter');
    await retryNow(service.baseUrl, parked);
    await expectNumber(2, 'the parked task');
  });

  it('follows bulk actions, the retry of a whole queue, and the removal of records', async () => {
    const filter = { client_id: client };
    const run = async (body: object): Promise<void> => {
      const { body: made } = await call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ reason: 'test', filter, ...body }) });
      await eventually(async () => { expect((await call(service.baseUrl, `/bulk-actions/${String(made['id'])}`)).body, JSON.stringify(made)).to.include({ state: 'done' }); });
    };
    await ended('dead_lettered');
    await ended('parked');
    await stored();
    await expectNumber(2);
    await run({ action: 'redrive', override: { destination: { url: receiver.url('/down') }, max_retries: 5, base_delay: 3_600 } });
    await eventually(async () => { expect((await call(service.baseUrl, `/counts?client_id=${client}&state=retrying`)).body).to.include({ count: 2 }); });
    await expectNumber(3, 'redriven');
    await run({ action: 'cancel', expected: 3 });
    await expectNumber(0, 'cancelled');

    const parked = await ended('parked');
    await service.queue.redriveAll(shard.queue.name);
    await eventually(async () => { expect((await call(service.baseUrl, `/tasks/${parked}`)).body).to.include({ state: 'parked', run: 2 }); });
    await expectNumber(1, 'parked again');
    await run({ action: 'delete', expected: 1 });
    await expectNumber(0, 'deleted');
    await ended('dead_lettered');
    await stored();
    const step = { removeBefore: Date.now() + 60_000, records: 1_000, from: '-inf' };
    await sweepCompleted(shard, step);
    await sweepDeadLetters(shard, step);
    await expectNumber(1, 'the records of ended tasks are gone');
  });

  it('is kept of nobody else, and nothing is written for a queue whose clients have no quota', async () => {
    const mine = client;
    await stored({ client_id: 'someone-else' });
    expect(await countOfClient(shard, 'someone-else')).to.equal(undefined);
    await quotaFor();
    expect(await service.redis.exists(shard.keys.quota)).to.equal(0);
    const id = await stored({ client_id: mine });
    await cancel(service.baseUrl, id);
    expect(await service.redis.exists(shard.keys.quota)).to.equal(0);
    await setQuotaClients(shard, '1', [mine]);
    await quotaFor(mine);
    await setQuotaClients(shard, '1', []);
    expect(await countOfClient(shard, mine), 'what older keys say counts for nothing').to.be.a('number');
  });

  it('is counted anew by a worker when a client gets a quota, and when it is wrong', async () => {
    client = uniqueId('client');
    for (let nth = 0; nth < 3; nth += 1) await stored();
    await ended('parked');
    await ended('delivered');
    await ended('dead_lettered');
    await quotaFor(client);
    await eventually(async () => { await expectNumber(4); });
    await eventually(async () => { expect(await service.redis.exists(shard.keys.quotaRecount)).to.equal(0); });
    await service.redis.hset(shard.keys.quota, client, '-17');
    await shard.client.hdel(shard.keys.quota, quotaField.countedAt);
    await eventually(async () => { await expectNumber(4); });
  });

  it('is exact after it was counted anew while tasks came, moved and ended', async () => {
    const ids: string[] = [];
    for (let nth = 0; nth < 30; nth += 1) ids.push(await stored());
    const dead = [await ended('dead_lettered'), await ended('dead_lettered')];
    await service.redis.hset(shard.keys.quota, client, '999');
    let steps = 0;
    await recount(async () => {
      steps += 1;
      await stored();
      const [ending, moving] = ids.splice(0, 2);
      if (ending !== undefined) await cancel(service.baseUrl, ending);
      // It is delivered, whether it was counted by then or not.
      if (moving !== undefined) await retryNow(service.baseUrl, moving);
      const again = dead.pop();
      if (again !== undefined) await retryNow(service.baseUrl, again);
    });
    expect(steps).to.be.above(6);
    await eventually(async () => {
      const { count } = (await call(service.baseUrl, `/counts?client_id=${client}&state=waiting,delivering,parked`)).body as { count: number };
      expect(await number()).to.equal(count);
    });
  });

  it('costs a task nothing but the number when the key of the numbers holds something else', async () => {
    await shard.client.del(shard.keys.quota);
    await service.redis.set(shard.keys.quota, 'of another program');
    try {
      const id = await stored({ initial_delay: 0 });
      await waitForState(service.baseUrl, id, 'delivered');
      const other = await stored();
      expect((await cancel(service.baseUrl, other)).status).to.equal(200);
    } finally {
      await shard.client.del(shard.keys.quota);
    }
  });

  it('marks a job that it has counted in, and no others', async () => {
    const id = await stored();
    const foreign = await stored({ client_id: 'someone-else' });
    await recount();
    expect(await service.redis.hget(shard.keys.job(id), jobField.quotaMark)).to.match(/^\d+$/);
    expect(await service.redis.hget(shard.keys.job(foreign), jobField.quotaMark)).to.equal(null);
  });
});
