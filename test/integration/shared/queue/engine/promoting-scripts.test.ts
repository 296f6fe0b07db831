import { Queue } from 'bullmq';
import { expect } from 'chai';

import { DeliveringWorker } from '../../../../../shared/queue/engine/delivering-worker.js';
import type { RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { eventually } from '../../../../support/eventually.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { monitorRedis } from '../../../../support/redis-monitor.js';
import { connect } from '../../../../support/service-in-process.js';

const JOBS = 500;
const AN_HOUR_MS = 3_600_000;

describe('due jobs', () => {
  let redis: RedisClient;
  let queue: Queue;
  let workers: DeliveringWorker[];

  beforeEach(() => {
    redis = connect('worker');
    queue = new Queue('due', { connection: redis, prefix: uniquePrefix() });
    workers = [];
  });
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.retire()));
    await queue.close();
    redis.disconnect();
  });

  async function work(processor: (attempt: number) => Promise<void>, concurrency = 4): Promise<void> {
    const worker = new DeliveringWorker('due', (job) => processor(job.attemptsMade), {
      redis, prefix: String(queue.opts.prefix), marker: queue.toKey('marker'), clock: Date.now, concurrency, lockDuration: 10_000, maxStalledCount: 100,
    });
    workers.push(worker);
    await worker.start();
  }

  /** @returns the members that left the delayed set with each command, and the keys of streams that were written */
  async function watch(): Promise<{ readonly moved: number[]; readonly streams: string[]; readonly end: () => void }> {
    const [moved, streams]: [number[], string[]] = [[], []];
    const end = await monitorRedis(([command = '', key = '', ...rest]) => {
      if (command.toLowerCase() === 'zrem' && key === queue.toKey('delayed')) moved.push(rest.length);
      if (command.toLowerCase() === 'xadd' && key === queue.toKey('events')) streams.push(rest.join(' '));
    });
    return { moved, streams, end };
  }

  for (const [name, delay] of [['and retried at once', 0], ['and retried after a wait', 1]] as const) {
    it(`are moved by at most 128 at once, also while jobs are fetched ${name}, without an event for any of them`, async () => {
      const ids = Array.from({ length: JOBS }, (_, nth) => `due-${nth}`);
      await queue.addBulk(ids.map((jobId, nth) => ({ name: 'job', data: {}, opts: { jobId, delay: AN_HOUR_MS, attempts: 2, backoff: delay, ...(nth % 2 === 0 ? { priority: 10 } : {}) } })));
      await redis.zadd(queue.toKey('delayed'), ...ids.flatMap((id, nth) => [4_096 + nth, id]));
      const { moved, streams, end } = await watch();
      try {
        await work((attempt) => (attempt === 0 ? Promise.reject(new Error('the first attempt fails')) : Promise.resolve()));
        await eventually(async () => { expect(await queue.getCompletedCount()).to.equal(JOBS); }, { withinMs: 30_000 });
        expect(await queue.getJobCounts('failed', 'active', 'wait', 'prioritized', 'delayed')).to.deep.equal({ failed: 0, active: 0, wait: 0, prioritized: 0, delayed: 0 });
        expect(Math.max(...moved)).to.be.within(1, 128);
        expect(moved.reduce((sum, jobs) => sum + jobs, 0)).to.be.at.least(JOBS);
        expect(streams).to.deep.equal([]);
      } finally {
        end();
      }
    }).timeout(40_000);
  }

  it('do not queue faster than they are fetched, where no job ends', async () => {
    const ids = Array.from({ length: JOBS }, (_, nth) => `due-${nth}`);
    await queue.addBulk(ids.map((jobId) => ({ name: 'job', data: {}, opts: { jobId, delay: AN_HOUR_MS, priority: 10 } })));
    await redis.zadd(queue.toKey('delayed'), ...ids.flatMap((id, nth) => [4_096 + nth, id]));
    const fetched = 150;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => { release = resolve; });
    try {
      await work(() => released, fetched);
      await eventually(async () => { expect(await queue.getActiveCount()).to.equal(fetched); }, { withinMs: 10_000 });
      // Up to 100 are queued, and what the last fetch added. All others stay where bulk deferral finds them.
      expect(await queue.getJobCountByTypes('prioritized')).to.be.within(100, 116);
    } finally {
      release();
    }
    await eventually(async () => { expect(await queue.getCompletedCount()).to.equal(JOBS); }, { withinMs: 10_000 });
  }).timeout(30_000);
});
