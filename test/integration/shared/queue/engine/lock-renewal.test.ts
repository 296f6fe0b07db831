import { once } from 'node:events';

import { Queue } from 'bullmq';
import { expect } from 'chai';

import { DeliveringWorker } from '../../../../../shared/queue/engine/delivering-worker.js';
import type { RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { eventually } from '../../../../support/eventually.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { connect } from '../../../../support/service-in-process.js';

const LOCK_MS = 1_000;
/** Each takes a quarter of the lock's duration. */
const RENEWALS_FOR_TWO_LOCKS = 8;

describe('the lock of a job that its worker has fetched twice', () => {
  let redis: RedisClient;
  let queue: Queue;
  let worker: DeliveringWorker;
  /** Ends the processing, in the order of the fetches. */
  let ends: (() => void)[];

  beforeEach(async () => {
    redis = connect('worker');
    const prefix = uniquePrefix();
    ends = [];
    queue = new Queue('locks', { connection: redis, prefix });
    worker = new DeliveringWorker('locks', () => new Promise<void>((resolve) => { ends.push(resolve); }), {
      redis, prefix, marker: queue.toKey('marker'), clock: Date.now, concurrency: 2, lockDuration: LOCK_MS, stalledInterval: 200, maxStalledCount: 100,
    });
    // The outcome of the first fetch comes too late, and is refused.
    worker.on('error', () => undefined);
    await worker.start();
  });
  afterEach(async () => {
    for (const end of ends) end();
    await worker.retire();
    await queue.close();
    redis.disconnect();
  });

  it('is renewed until the second processing ends, whenever the first one ends', async () => {
    const { id = '' } = await queue.add('job', {});
    await eventually(() => { expect(ends).to.have.lengthOf(1); });
    // Not events.once: a renewal that comes before the stall is seen fails, and `error` would end the wait.
    const stalled = new Promise((resolve) => { worker.once('stalled', resolve); });
    await redis.del(`${queue.toKey(id)}:lock`);
    await stalled;
    await eventually(() => { expect(ends).to.have.lengthOf(2); });

    const refused = once(worker, 'error');
    ends[0]?.();
    await refused;
    let renewals = 0;
    worker.on('locksRenewed', ({ jobIds }) => { renewals += jobIds.filter((one) => one === id).length; });
    await eventually(() => { expect(renewals).to.be.at.least(RENEWALS_FOR_TWO_LOCKS); }, { withinMs: 10_000 });
    expect(ends, 'it was fetched no third time').to.have.lengthOf(2);
    ends[1]?.();
    await eventually(async () => { expect(await queue.getJobState(id)).to.equal('completed'); });
  });
});
