import { expect } from 'chai';

import { DATA_VERSION } from '../../../../shared/queue/tasks/task-codec.js';
import { eventually } from '../../../support/eventually.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, cancel, getTask, httpTask, submitNew, uniqueId, waitForState, type WireTask } from '../../../support/tasks.js';

const NONE = { waiting: 0, due: 0, sending: 0, delivered: 0, dead_lettered: 0, parked: 0, unreadable: 0 };
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
      expect(await stats()).to.deep.equal({ counts: NONE, oldest_due_ms: null, workers: 0, worker_facts: { is_agreed: true, differences: [] }, shard_rebuilds: 0 });
    });

    it('counts what waits and what is due, and says how long the oldest has been due while no worker runs', async () => {
      await submitAll(5, waiting);
      await submitAll(3, () => httpTask(receiver.url('/')));
      await submitAll(2, () => httpTask(receiver.url('/'), { is_priority: true }));
      expect(await stats()).to.deep.equal({ counts: { ...NONE, waiting: 5, due: 5 }, oldest_due_ms: null, workers: 0, worker_facts: { is_agreed: true, differences: [] }, shard_rebuilds: 0 });
      const submittedAt = Date.now();
      await submitAll(1, () => httpTask(receiver.url('/'), { initial_delay: 0.05 }));
      const seen = await eventually(async () => {
        const now = await stats();
        expect(now.counts).to.include({ waiting: 5, due: 6 });
        return now;
      });
      expect(seen.oldest_due_ms).to.be.within(0, Date.now() - submittedAt - 50);
      await eventually(async () => { expect((await stats()).oldest_due_ms).to.be.at.least(100); });
    });

    it('counts what is being sent, and what has ended', async () => {
      await service.startWorker();
      await submitAll(2, () => httpTask(receiver.url('/')), 'delivered');
      await submitAll(3, () => httpTask(receiver.url('/down'), { dead_destination: { url: receiver.url('/dead') } }), 'dead_lettered');
      const [parked = ''] = await submitAll(4, parking, 'parked');
      const [waits = ''] = await submitAll(1, waiting);
      await submitAll(2, () => httpTask(receiver.url('/hang')));
      await receiver.waitForRequests(2, { path: '/hang' });
      expect((await stats()).counts).to.deep.equal({ ...NONE, waiting: 1, sending: 2, delivered: 2, dead_lettered: 3, parked: 4 });
      await cancel(service.baseUrl, waits);
      await cancel(service.baseUrl, parked);
      expect((await stats()).counts, 'cancelled ones are among the delivered').to.deep.equal({ ...NONE, sending: 2, delivered: 3, dead_lettered: 3, parked: 3 });
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
