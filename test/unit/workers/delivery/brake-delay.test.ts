import { expect } from 'chai';

import { nextBrakeMs } from '../../../../workers/delivery/brake-delay.js';

describe('nextBrakeMs', () => {
  const delays = (errorClass: Parameters<typeof nextBrakeMs>[1]): number[] => {
    const seen: number[] = [];
    for (let previousMs = 0; seen.length < 6; ) seen.push((previousMs = nextBrakeMs(previousMs, errorClass)));
    return seen;
  };

  it('doubles from 1 s to 4 s while Redis is full or refuses', () => {
    for (const errorClass of ['full', 'refused', 'bug'] as const) expect(delays(errorClass), errorClass).to.deep.equal([1_000, 2_000, 4_000, 4_000, 4_000, 4_000]);
  });

  it('stays at 0.25 s while a shard is away, which ends by itself', () => {
    expect(delays('unavailable')).to.deep.equal([250, 250, 250, 250, 250, 250]);
  });
});
