import type { RedisQueueBackend } from 'bullmq';
import { expect } from 'chai';

import { lookAfterFailure } from '../../../../../shared/queue/engine/look-after-failure.js';

const MARKER = { member: '0', score: 0 };

/** The two calls of BullMQ's loop. They fail while `failing` says so. */
function backend(): { loop: Pick<RedisQueueBackend, 'waitForJob' | 'moveToActive'>; failing: Set<'wait' | 'fetch'>; waits: number[] } {
  const failing = new Set<'wait' | 'fetch'>();
  const waits: number[] = [];
  const parts: Pick<RedisQueueBackend, 'waitForJob' | 'moveToActive'> = {
    waitForJob: (seconds) => {
      waits.push(seconds);
      return failing.has('wait') ? Promise.reject(new Error('the wait')) : Promise.resolve(MARKER);
    },
    moveToActive: () => (failing.has('fetch') ? Promise.reject(new Error('the fetch')) : Promise.resolve([])),
  };
  return { loop: lookAfterFailure(parts as RedisQueueBackend), failing, waits };
}

const message = (call: Promise<unknown>): Promise<string> => call.then(() => 'none', (error: unknown) => (error as Error).message);

describe('the wait of a worker after a failure', () => {
  it('is none after a wait that failed, and a wait again after that', async () => {
    const { loop, failing, waits } = backend();
    failing.add('wait');
    expect(await message(loop.waitForJob(5))).to.equal('the wait');
    failing.clear();
    expect(await loop.waitForJob(6)).to.equal(null);
    expect(await loop.waitForJob(7)).to.deep.equal(MARKER);
    expect(waits).to.deep.equal([5, 7]);
  });

  it('is none after a fetch that failed: the marker of the wait before is used up', async () => {
    const { loop, failing, waits } = backend();
    await loop.waitForJob(5);
    failing.add('fetch');
    expect(await message(loop.moveToActive('token'))).to.equal('the fetch');
    expect(await loop.waitForJob(6)).to.equal(null);
    // This fetch is the look that was owed. It fails, too.
    expect(await message(loop.moveToActive('token'))).to.equal('the fetch');
    expect(await loop.waitForJob(7)).to.equal(null);
    failing.clear();
    await loop.moveToActive('token');
    expect(await loop.waitForJob(8)).to.deep.equal(MARKER);
    expect(waits).to.deep.equal([5, 8]);
  });

  it('is as long as BullMQ says while nothing fails', async () => {
    const { loop, waits } = backend();
    await loop.waitForJob(5);
    await loop.moveToActive('token');
    await loop.waitForJob(6);
    expect(waits).to.deep.equal([5, 6]);
  });
});
