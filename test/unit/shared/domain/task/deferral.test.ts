import { expect } from 'chai';

import { deferralDelayMs } from '../../../../../shared/domain/task/deferral.js';

describe('deferralDelayMs', () => {
  it('grows with the waiting list, up to an hour', () => {
    expect([0, 1, 1_000, 1e9].map(deferralDelayMs)).to.deep.equal([60_000, 60_100, 160_000, 3_600_000]);
  });
});
