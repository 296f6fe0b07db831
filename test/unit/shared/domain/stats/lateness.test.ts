import { expect } from 'chai';
import fc from 'fast-check';

import { latenessBucket, latenessPercentile } from '../../../../../shared/domain/stats/lateness.js';

describe('lateness', () => {
  it('is counted in buckets of a quarter of a doubling', () => {
    expect([-5, 0, 1, 2, 1_000].map(latenessBucket)).to.deep.equal([0, 0, 1, 5, 40]);
  });

  it('is told exactly below 8 ms, and at most 19 % too high above', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 10_000_000 }), (ms) => {
      const told = latenessPercentile(new Map([[latenessBucket(ms), 1]]), 0.5) ?? -1;
      expect(told).to.be.within(ms, ms < 8 ? ms : ms * 1.19);
    }));
  });

  it('is told for a share of all sends, in whatever order the buckets come', () => {
    const counts = new Map([[latenessBucket(4_000), 1], [latenessBucket(0), 49], [latenessBucket(100), 50]]);
    expect(latenessPercentile(counts, 0.49)).to.equal(0);
    expect(latenessPercentile(counts, 0.5)).to.be.within(100, 119);
    expect(latenessPercentile(counts, 0.999)).to.be.within(4_000, 4_760);
  });

  it('is nothing without sends', () => {
    expect(latenessPercentile(new Map(), 0.5)).to.equal(undefined);
    expect(latenessPercentile(new Map([[3, 0]]), 0.5)).to.equal(undefined);
  });
});
