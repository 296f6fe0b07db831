import { Queue } from 'bullmq';
import { expect } from 'chai';

import { DeliveringWorker } from '../../../../../shared/queue/engine/delivering-worker.js';
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
