import { expect } from 'chai';

import { AlignedInterval, alignedMs } from '../../../../shared/lifecycle/aligned-timer.js';
import { eventually } from '../../../support/eventually.js';

describe('alignedMs', () => {
  const table: readonly (readonly [everyMs: number, now: number, ms: number])[] = [
    [200, 0, 200],
    [200, 1_000.2, 200],
    // A timer that has fired a part of a millisecond too early.
    [200, 999.6, 201],
    [200, 1_050, 150],
    [200, 1_100, 100],
    [200, 1_101, 299],
    [1_000, 12_345, 655],
    [5, 12_344, 5],
  ];
  for (const [everyMs, now, ms] of table) {
    it(`is ${ms} for each ${everyMs} at ${now}`, () => {
      expect(alignedMs(everyMs, now)).to.equal(ms);
    });
  }
});

describe('AlignedInterval', () => {
  it('calls again and again, until it is stopped in a call', async () => {
    let calls = 0;
    const interval = new AlignedInterval(5, () => {
      calls += 1;
      if (calls === 3) interval.stop();
    });
    await eventually(() => { expect(calls).to.equal(3); });
    const isOver = new Promise((resolve) => { setTimeout(resolve, 30); });
    await isOver;
    expect(calls).to.equal(3);
  });
});
