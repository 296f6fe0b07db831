import { expect } from 'chai';
import fc from 'fast-check';

import { LatencyHistogram } from '../../../../../shared/domain/flow/latency-histogram.js';

function histogramOf(values: readonly number[]): LatencyHistogram {
  const made = new LatencyHistogram();
  for (const value of values) made.note(value);
  return made;
}

describe('LatencyHistogram', () => {
  it('knows nothing of nothing', () => expect(new LatencyHistogram().percentile(0.5)).to.equal(undefined));

  it('gives a percentile that is never too low, and at most 19% and a millisecond too high', () => {
    fc.assert(fc.property(fc.array(fc.double({ min: 1, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 200 }), fc.constantFrom(0.5, 0.9, 0.99, 1), (values, share) => {
      const exact = [...values].sort((a, b) => a - b)[Math.ceil(values.length * share - 1e-9) - 1] ?? 0;
      expect(histogramOf(values).percentile(share)).to.be.within(exact, exact * 1.1893 + 1);
    }));
  });

  it('added to another is as if it had seen both', () => {
    const sum = histogramOf([1, 20, 300]);
    sum.add(histogramOf([4_000, 20]));
    expect(sum.counts).to.deep.equal(histogramOf([1, 20, 300, 4_000, 20]).counts);
  });

  it('counts what is absurd in its first and last bucket', () => {
    const absurd = histogramOf([-5, 0, 0.1, 1e12]);
    expect([absurd.counts[0], absurd.counts.at(-1), absurd.counts.length]).to.deep.equal([3, 1, 65]);
  });
});
