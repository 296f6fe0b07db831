import { expect } from 'chai';

import { nextBrakeMs } from '../../../../workers/delivery/brake-delay.js';

describe('nextBrakeMs', () => {
  it('doubles from 1 s to 10 s', () => {
    const delays: number[] = [];
    for (let previousMs = 0; delays.length < 6; ) delays.push((previousMs = nextBrakeMs(previousMs)));
    expect(delays).to.deep.equal([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });
});
