import { expect } from 'chai';

import { LargeReads } from '../../../../../shared/queue/tasks/large-reads.js';

describe('LargeReads', () => {
  it('lets one read go on at a time, in the order in which they came, and the next one after a failure', async () => {
    const reads = new LargeReads();
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const read = (nth: number) => async (): Promise<number> => {
      running += 1;
      most = Math.max(most, running);
      order.push(nth);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (nth === 1) throw new Error('this one fails');
      return nth;
    };
    const ends = await Promise.allSettled(Array.from({ length: 5 }, (_, nth) => reads.take(read(nth))));
    expect(ends.map((end) => (end.status === 'fulfilled' ? end.value : String(end.reason)))).to.deep.equal([0, 'Error: this one fails', 2, 3, 4]);
    expect([most, order]).to.deep.equal([1, [0, 1, 2, 3, 4]]);
  });

  it('is free again after the last one', async () => {
    const reads = new LargeReads();
    await reads.take(async () => 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await reads.take(async () => 2)).to.equal(2);
  });
});
