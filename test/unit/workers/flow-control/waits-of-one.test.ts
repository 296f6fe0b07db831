import { expect } from 'chai';

import { WaitsOfOne, type AskedWait } from '../../../../workers/flow-control/waits-of-one.js';

describe('WaitsOfOne', () => {
  const until = (at: number): AskedWait => ({ circuit: { openedAt: 0, until: at, coolMs: 2_000, reason: 'retry_after' }, code: 'http_busy' });

  it('gives back the last wait that was asked for, once, and none that is over', () => {
    const waits = new WaitsOfOne();
    waits.remember('a', until(1_000));
    waits.remember('a', until(2_000));
    waits.remember('b', until(1_000));
    expect([waits.take('a', 1_500), waits.take('a', 1_500), waits.take('b', 1_000), waits.take('c', 0)]).to.deep.equal([until(2_000), undefined, undefined, undefined]);
    expect(waits.remembered).to.equal(0);
  });

  it('stays bounded, and forgets the oldest', () => {
    const waits = new WaitsOfOne();
    for (let nth = 0; nth < 5_000; nth += 1) waits.remember(`path-${nth}`, until(1_000));
    expect(waits.remembered).to.equal(1_000);
    expect([waits.take('path-3999', 0), waits.take('path-4000', 0)]).to.deep.equal([undefined, until(1_000)]);
  });
});
