import { expect } from 'chai';

import { DATA_VERSION } from '../../../../shared/queue/tasks/task-codec.js';
import { eventually } from '../../../support/eventually.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { packFailureFields } from '../../../../shared/queue/search/failure-fields.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, cancel, getTask, httpTask, submitNew, uniqueId, waitForState, type WireTask } from '../../../support/tasks.js';

const NOTHING_HELD = { paused: 0, no_worker: 0, circuit_open: 0, limit: 0, rate_lowered: 0, destination_busy: 0 };
const NONE = {
  ...{ waiting: 0, due: 0, sending: 0, ended: 0, delivered: 0, dead_lettered: 0, parked: 0, unreadable: 0 },
  ...{ held: NOTHING_HELD, is_held_exact: true },
  ...{ scheduled: 0, retrying: 0, dead_lettering: 0, cancelled: 0, is_estimate: true },
};
const REST = { worker_facts: { is_agreed: true, differences: [] }, shard_rebuilds: 0, is_complete: true, shards_away: [] };
/** A task counts as unreadable for twice the longest wait. */
const RELEASE = { baseDelayMs: 50, maxDelayMs: 200 };

for (const shards of [1, 4]) {
  describe(`GET /stats, with ${shards} shard(s)`, () => {
    let service: InProcessService;
    let receiver: Receiver;

    beforeEach(async () => {
      service = await InProcessService.ready({ shards, release: RELEASE });
      receiver = await createReceiver();
      receiver.on('/down', { kind: 'answer', status: 500 });
      receiver.on('/hang', { kind: 'hang' });
    });
    afterEach(async () => {
      await service.close();
      await receiver.close();
    });

    async function stats(): Promise<{ counts: typeof NONE; oldest_due_ms: number | null; workers: number }> {
      const { status, body } = await call(service.baseUrl, '/stats');
      expect(status, JSON.stringify(body)).to.equal(200);
      return body as Awaited<ReturnType<typeof stats>>;
    }

    async function submitAll(count: number, make: () => WireTask, state?: Parameters<typeof waitForState>[2]): Promise<string[]> {
      const tasks = Array.from({ length: count }, make);
      for (const task of tasks) await submitNew(service.baseUrl, task);
      if (state !== undefined) for (const { id } of tasks) await waitForState(service.baseUrl, id, state);
      return tasks.map(({ id }) => id);
    }

    const waiting = (): WireTask => httpTask(receiver.url('/'), { initial_delay: 3_600 });

    function parking(): WireTask {
      const { dead_destination: _none, ...task } = httpTask(receiver.url('/down'), { id: uniqueId('parked'), on_exhausted: 'park' });
      return task;
    }

    it('counts nothing where nothing is', async () => {
      expect(await stats()).to.deep.equal({ counts: NONE, oldest_due_ms: null, workers: 0, ...REST });
    });

    it('counts what waits and what is due, and says how long the oldest has been due while no worker runs', async () => {
      await submitAll(5, waiting);
      expect((await stats()).oldest_due_ms, 'their time has not come').to.equal(null);
      const submittedAt = Date.now();
      await submitAll(1, () => httpTask(receiver.url('/'), { initial_delay: 0.05 }));
      const seen = await eventually(async () => {
        const now = await stats();
        expect(now.counts).to.include({ waiting: 5, due: 1, scheduled: 6 });
        return now;
      });
      expect(seen.oldest_due_ms).to.be.within(0, Date.now() - submittedAt - 50);
      await eventually(async () => { expect((await stats()).oldest_due_ms).to.be.at.least(100); });
    });

    for (const [kind, changes] of [['normal', {}], ['priority', { is_priority: true }]] as const) {
      it(`says how long the oldest ${kind} task without an initial delay has been due while no worker runs`, async () => {
        const before = Date.now();
        await submitAll(3, () => httpTask(receiver.url('/'), changes));
        await eventually(async () => { expect((await stats()).oldest_due_ms).to.be.at.least(50); });
        const { oldest_due_ms: oldest, ...rest } = await stats();
        expect(oldest).to.be.within(50, Date.now() - before);
        expect(rest).to.deep.equal({ counts: { ...NONE, due: 3, scheduled: 3 }, workers: 0, ...REST });
      });
    }

    it('measures the time since a retry and since a dead letter was due, by what was decided', async () => {
      const worker = await service.startWorker();
      const [id = ''] = await submitAll(1, () => httpTask(receiver.url('/down'), { max_retries: 1, base_delay: 1 }), 'retrying');
      await worker.stop(0);
      const { next_attempt_at: dueAt } = await getTask(service.baseUrl, id);
      await eventually(async () => { expect((await stats()).oldest_due_ms).to.be.at.least(100); });
      const askedAt = Date.now();
      const seen = await stats();
      // The API knows Redis' clock only as well as it could ask for it. Measured from the failure, it would be a second more.
      expect(seen.oldest_due_ms).to.be.within(askedAt - Date.parse(dueAt ?? '') - 500, Date.now() - Date.parse(dueAt ?? '') + 500);
      expect(seen.counts).to.include({ due: 1, retrying: 1, scheduled: 0 });
    });

    it('counts what flow control holds by the reason, and measures from when it was due, wherever it stands', async () => {
      await service.startWorker();
      const key = encodeURIComponent(new URL(receiver.url('/')).origin);
      expect((await fetch(`${service.baseUrl}/destinations/${key}/pause`, { method: 'POST' })).status).to.equal(200);
      // Workers take up a pause within a second.
      await eventually(async () => {
        const [probe = ''] = await submitAll(1, () => httpTask(receiver.url('/')));
        await eventually(async () => { expect((await getTask(service.baseUrl, probe)).timeline.some((entry) => 'deferred_at' in entry)).to.equal(true); }, { withinMs: 200 });
      });
      const before = await stats();
      await submitAll(4, () => httpTask(receiver.url('/')));
      const seen = await eventually(async () => {
        const now = await stats();
        expect(now.counts.held).to.deep.equal({ ...NOTHING_HELD, paused: before.counts.held.paused + 4 });
        expect(now.oldest_due_ms).to.be.at.least(300);
        return now;
      });
      expect(seen.counts).to.include({ due: 0, sending: 0, is_held_exact: true });
      expect(seen.counts.waiting, 'they are in the set of those that wait').to.equal(seen.counts.held.paused);
      await fetch(`${service.baseUrl}/destinations/${key}/resume`, { method: 'POST' });
      await eventually(async () => {
        const now = await stats();
        expect([now.counts.held, now.oldest_due_ms]).to.deep.equal([NOTHING_HELD, null]);
      });
    });

    it('counts what a limit holds, and says so when no worker runs', async () => {
      const worker = await service.startWorker();
      const key = encodeURIComponent(new URL(receiver.url('/')).origin);
      await fetch(`${service.baseUrl}/destinations/${key}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"max_concurrency":1}' });
      await eventually(async () => {
        await submitAll(2, () => httpTask(receiver.url('/hang')));
        await eventually(async () => { expect((await stats()).counts.held.limit).to.be.at.least(1); }, { withinMs: 500 });
      });
      await worker.stop(0);
      await eventually(async () => {
        const { counts, workers } = await stats();
        expect(workers).to.equal(0);
        expect(counts.held.limit).to.equal(0);
        expect(counts.held.no_worker).to.be.at.least(1);
      }, { withinMs: 10_000 });
    });

    it('tells retrying, dead-lettering and cancelled tasks from the others', async () => {
      await service.startWorker();
      await submitAll(2, waiting);
      await submitAll(3, () => httpTask(receiver.url('/down'), { max_retries: 1, base_delay: 3_600 }), 'retrying');
      const [cancelled = ''] = await submitAll(1, waiting);
      await cancel(service.baseUrl, cancelled);
      await submitAll(1, () => httpTask(receiver.url('/')), 'delivered');
      expect((await stats()).counts).to.deep.equal({ ...NONE, waiting: 5, scheduled: 2, retrying: 3, ended: 2, delivered: 2, cancelled: 1 });
    });

    it('counts what is being sent, and what has ended', async () => {
      await service.startWorker();
      await submitAll(2, () => httpTask(receiver.url('/')), 'delivered');
      await submitAll(3, () => httpTask(receiver.url('/down'), { dead_destination: { url: receiver.url('/dead') } }), 'dead_lettered');
      const [parked = ''] = await submitAll(4, parking, 'parked');
      const [waits = ''] = await submitAll(1, waiting);
      await submitAll(2, () => httpTask(receiver.url('/hang')));
      await receiver.waitForRequests(2, { path: '/hang' });
      expect((await stats()).counts).to.deep.equal({ ...NONE, waiting: 1, scheduled: 1, sending: 2, ended: 2, delivered: 2, dead_lettered: 3, parked: 4 });
      await cancel(service.baseUrl, waits);
      await cancel(service.baseUrl, parked);
      expect((await stats()).counts, 'cancelled ones are among the delivered').to.deep.equal({ ...NONE, sending: 2, ended: 3, delivered: 3, cancelled: 1, dead_lettered: 3, parked: 3 });
    });

    it('never counts more parked tasks than there are ended ones, though their set may name too many', async () => {
      await service.startWorker();
      await submitAll(1, parking, 'parked');
      for (const shard of await service.queue.shards()) await service.redis.zadd(shard.keys.parked, Date.now(), 't-never-parked', Date.now(), 't-nor-this');
      const { parked, dead_lettered } = (await stats()).counts;
      expect([parked, dead_lettered]).to.deep.equal([1, 0]);
    });

    describe('of a task that was written by a newer version', () => {
      let id: string;
      let jobKey: string;
      let data: string;

      beforeEach(async () => {
        const task = httpTask(receiver.url('/'));
        ({ id } = task);
        await submitNew(service.baseUrl, task);
        for (const { keys } of await service.queue.shards()) {
          const found = await service.redis.hget(keys.job(id), jobField.data);
          if (found !== null) [jobKey, data] = [keys.job(id), found];
        }
        await service.redis.hset(jobKey, jobField.data, JSON.stringify({ v: DATA_VERSION + 1 }));
      });

      it('counts it as unreadable as long as workers put it back, and no longer when they can read it', async () => {
        await service.startWorker();
        const { counts } = await eventually(async () => {
          const seen = await stats();
          expect(seen.counts.unreadable).to.equal(1);
          return seen;
        });
        expect(counts.waiting + counts.due + counts.sending, 'it is one of these, too').to.equal(1);
        // Longer than the time for which one try counts.
        await eventually(async () => {
          const releases = service.log.split('\n').filter((line) => line.includes(`t-${id}`) && line.includes('left for a newer version'));
          expect(releases.length).to.be.at.least(7);
        }, { withinMs: 10_000 });
        expect((await stats()).counts.unreadable).to.equal(1);
        await service.redis.hset(jobKey, jobField.data, data);
        await waitForState(service.baseUrl, id, 'delivered');
        await eventually(async () => { expect((await stats()).counts.unreadable).to.equal(0); });
      });

      it('forgets it when it is cancelled', async () => {
        await service.startWorker();
        await eventually(async () => { expect((await stats()).counts.unreadable).to.equal(1); });
        await eventually(async () => { expect((await cancel(service.baseUrl, id)).status).to.equal(200); });
        expect((await stats()).counts.unreadable).to.equal(0);
      });

      it('puts it back all the same when it cannot be counted', async () => {
        for (const { keys } of await service.queue.shards()) await service.redis.set(keys.unreadable, 'not a set');
        await service.startWorker();
        await eventually(async () => { expect(await service.redis.hget(jobKey, jobField.log)).to.contain('data_unreadable'); });
        await service.redis.hset(jobKey, jobField.data, data);
        await waitForState(service.baseUrl, id, 'delivered');
        expect((await getTask(service.baseUrl, id)).attempt, 'no attempt is used').to.equal(0);
      });
    });
  });
}

describe('GET /stats, with more than it looks at one by one', () => {
  let service: InProcessService;

  beforeEach(async () => {
    service = await InProcessService.ready();
  });
  afterEach(async () => {
    await service.close();
  });

  async function counts(): Promise<typeof NONE> {
    const { body } = await call(service.baseUrl, '/stats');
    return body['counts'] as typeof NONE;
  }

  it('estimates the states from 1,000 random tasks', async () => {
    const tasks = Array.from({ length: 3_000 }, () => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 }));
    const answer = await fetch(`${service.baseUrl}/tasks/batch`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(tasks) });
    expect(answer.status).to.equal(207);
    const [shard] = await service.queue.shards();
    if (shard === undefined) throw new Error('no shard');
    const failed = packFailureFields({ attemptsMade: 1, phase: 'delivery', attempts: 1, code: 'timed_out', httpStatus: undefined, deadReason: undefined, dueAt: undefined, next: 'retry', endedAt: undefined });
    const pipeline = service.redis.pipeline();
    for (const { id } of tasks.slice(0, 1_000)) pipeline.hset(shard.keys.job(id), jobField.failure, failed, jobField.attemptsMade, 1);
    await pipeline.exec();
    const seen = await counts();
    expect(seen).to.include({ waiting: 3_000, dead_lettering: 0, is_estimate: true });
    expect(seen.scheduled + seen.retrying).to.equal(3_000);
    expect(seen.retrying, 'a third; less than this once in a billion times').to.be.within(700, 1_300);
  });

  it('counts 10,000 waiting lists, and says that there are more', async () => {
    const [shard] = await service.queue.shards();
    if (shard === undefined) throw new Error('no shard');
    const add = async (from: number, to: number): Promise<void> => {
      const pipeline = service.redis.pipeline();
      for (let nth = from; nth < to; nth += 1) pipeline.zadd(shard.keys.waitingLists, nth, `tenant-${nth}`).zadd(shard.keys.waitingList(`tenant-${nth}`), nth, `t-${nth}`);
      await pipeline.exec();
    };
    await add(0, 10_000);
    expect(await counts()).to.deep.include({ held: { ...NOTHING_HELD, no_worker: 10_000 }, is_held_exact: true });
    await add(10_000, 10_001);
    expect(await counts()).to.deep.include({ held: { ...NOTHING_HELD, no_worker: 10_000 }, is_held_exact: false });
  });
});
