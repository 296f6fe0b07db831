import { expect } from 'chai';

import { slotShare } from '../../../../../shared/domain/flow/slot-share.js';

describe('slotShare', () => {
  it('shares 2,000 slots among the workers that run, 100 to 1,000 each', () => {
    const shares = [1, 2, 3, 10, 20, 21, 1_000].map((workers) => slotShare('auto', workers));
    expect(shares).to.deep.equal([1_000, 1_000, 666, 200, 100, 100, 100]);
  });

  it('gives each worker exactly the number that an operator has set', () => {
    for (const workers of [1, 50]) for (const number of [1, 200, 10_000]) expect(slotShare(number, workers)).to.equal(number);
  });
});
