import { expect } from 'chai';

import { LargeReads, TURN_WITHIN_MS } from '../../../../../shared/queue/tasks/large-reads.js';

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

  it('lets a read wait for its turn for 5 s, and no longer', async () => {
    expect(TURN_WITHIN_MS).to.equal(5_000);
    const reads = new LargeReads(20);
    let end: () => void = () => undefined;
    const first = reads.take(() => new Promise<void>((resolve) => { end = resolve; }));
    const [late] = await Promise.allSettled([reads.take(async () => 1)]);
    expect(late.status === 'rejected' && late.reason).to.deep.include({ code: 'overloaded', notes: { limit: 'wait to read a large task' } });
    const inTime = reads.take(async () => 2);
    end();
    await first;
    expect(await inTime).to.equal(2);
  });

  it('is free again after the last one', async () => {
    const reads = new LargeReads();
    await reads.take(async () => 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await reads.take(async () => 2)).to.equal(2);
  });
});
