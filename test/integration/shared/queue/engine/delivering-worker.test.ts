import { Queue } from 'bullmq';
import { expect } from 'chai';

import { DeliveringWorker } from '../../../../../shared/queue/engine/delivering-worker.js';
import { guardScripts } from '../../../../../shared/queue/engine/guarded-scripts.js';
import { jobField } from '../../../../../shared/queue/engine/job-fields.js';
import type { RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { eventually } from '../../../../support/eventually.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { connect } from '../../../../support/service-in-process.js';

describe('DeliveringWorker', () => {
  let redis: RedisClient;
  let queue: Queue;
  let worker: DeliveringWorker;
  /** Each ends the processing of one job, in the order of their fetches. */
  let ends: (() => void)[];

  beforeEach(async () => {
    redis = connect('worker');
    const prefix = uniquePrefix();
    ends = [];
    queue = new Queue('offers', { connection: redis, prefix });
    worker = new DeliveringWorker('offers', () => new Promise<void>((resolve) => { ends.push(resolve); }), {
      redis, prefix, marker: queue.toKey('marker'), clock: Date.now, concurrency: 2, lockDuration: 10_000, maxStalledCount: 100,
    });
    await worker.start();
  });
  afterEach(async () => {
    for (const end of ends) end();
    await worker.retire();
    await queue.close();
    redis.disconnect();
  });

  async function begun(jobs: number): Promise<void> {
    await eventually(() => { expect(ends).to.have.lengthOf(jobs); });
  }

  it('takes more jobs as soon as it may, though none of those in hand ends', async () => {
    await Promise.all(Array.from({ length: 5 }, () => queue.add('job', {})));
    await begun(2);
    worker.offer(5);
    await begun(5);
  });

  it('gives none back when it may take fewer: jobs that end are not followed by the next one', async () => {
    await Promise.all(Array.from({ length: 3 }, () => queue.add('job', {})));
    await begun(2);
    worker.offer(1);
    ends[0]?.();
    await eventually(async () => { expect(await queue.getCompletedCount()).to.equal(1); });
    expect(await queue.getActiveCount()).to.equal(1);
    ends[1]?.();
    await begun(3);
  });
});

describe('A DeliveringWorker whose clock is behind', () => {
  const AN_HOUR_MS = 3_600_000;

  it('has the time of each fetch written down by the clock of Redis, also behind a job that ended or failed', async () => {
    const redis = connect('worker');
    const prefix = uniquePrefix();
    const queue = new Queue('fetched', { connection: redis, prefix });
    const worker = new DeliveringWorker('fetched', (job) => (job.id === 'fails' ? Promise.reject(new Error('it fails')) : Promise.resolve()), {
      redis, prefix, marker: queue.toKey('marker'), clock: () => Date.now() - AN_HOUR_MS, concurrency: 1, lockDuration: 10_000, maxStalledCount: 100,
    });
    try {
      await queue.waitUntilReady();
      guardScripts(await queue.getBackend().client);
      const ids = ['fetched-alone', 'behind-an-end', 'fails', 'behind-a-failure'];
      const [second, micros] = await redis.time();
      const before = Math.floor(Number(second) * 1_000 + Number(micros) / 1_000);
      for (const jobId of ids) await queue.add('job', {}, { jobId, attempts: 2, backoff: AN_HOUR_MS });
      await worker.start();
      await eventually(async () => { expect(await queue.getJobCounts('completed', 'delayed')).to.deep.equal({ completed: 3, delayed: 1 }); });
      for (const id of ids) expect(Number(await redis.hget(queue.toKey(id), jobField.startedAt)), id).to.be.within(before, before + AN_HOUR_MS);
    } finally {
      await worker.retire();
      await queue.close();
      redis.disconnect();
    }
  });
});

describe('Jobs of a DeliveringWorker', () => {
  it('end at once without an error, where nothing is due behind them and something is later', async () => {
    const redis = connect('worker');
    const prefix = uniquePrefix();
    const queue = new Queue('ended', { connection: redis, prefix });
    const errors: string[] = [];
    const through: string[] = [];
    const all: (() => void)[] = [];
    const worker = new DeliveringWorker('ended', () => new Promise<void>((resolve) => { all.push(resolve); }), {
      redis, prefix, marker: queue.toKey('marker'), clock: Date.now, concurrency: 16, lockDuration: 10_000, maxStalledCount: 100,
    });
    worker.on('error', ({ message }) => errors.push(message));
    worker.onThrough = (id) => through.push(id);
    try {
      await queue.waitUntilReady();
      guardScripts(await queue.getBackend().client);
      await queue.add('job', {}, { jobId: 'later', delay: 3_600_000 });
      for (let nth = 0; nth < 16; nth += 1) await queue.add('job', {}, { jobId: `job-${nth}` });
      await worker.start();
      await eventually(() => { expect(all).to.have.length(16); });
      for (const end of all) end();
      await eventually(async () => { expect(await queue.getJobCounts('completed', 'active', 'delayed')).to.deep.equal({ completed: 16, active: 0, delayed: 1 }); });
      await eventually(() => { expect(through).to.have.length(16); });
      // What comes now is taken at once: the loop stands nowhere.
      await queue.add('job', {}, { jobId: 'behind' });
      await eventually(() => { expect(all).to.have.length(17); });
      all.at(-1)?.();
      await eventually(() => { expect(through).to.have.length(17); });
      expect(errors).to.deep.equal([]);
    } finally {
      await worker.retire();
      await queue.close();
      redis.disconnect();
    }
  });
});
