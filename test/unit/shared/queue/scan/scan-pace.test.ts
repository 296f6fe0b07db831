import { expect } from 'chai';

import { ScanPace } from '../../../../../shared/queue/scan/scan-pace.js';

/** Makes steps of 2 ms of Redis' time, one behind the other's pause. @returns the share of the time that the last ones took */
function shareOfSteps(pace: ScanPace, { steps, othersShare, isKnown = true }: { readonly steps: number; readonly othersShare: number; readonly isKnown?: boolean }): number {
  let at = 0;
  let cpuUs = 1_000_000;
  let halfAt = 0;
  for (let step = 0; step < steps; step += 1) {
    if (step === steps / 2) halfAt = at;
    const pauseMs = pace.pauseAfter({ server: '', beforeUs: isKnown ? cpuUs : -1, afterUs: isKnown ? cpuUs + 2_000 : -1 }, at, 2);
    at += 2 + pauseMs;
    cpuUs += 2_000 + pauseMs * othersShare * 1_000;
  }
  return steps / (at - halfAt);
}

describe('the pace of searches', () => {
  it('takes two thirds of the time of a Redis that does nothing else', () => {
    expect(shareOfSteps(new ScanPace(), { steps: 400, othersShare: 0.01 })).to.be.within(0.62, 0.67);
  });

  it('takes a twentieth at most of a Redis that others use', () => {
    expect(shareOfSteps(new ScanPace(), { steps: 400, othersShare: 0.5 })).to.be.within(0.03, 0.055);
  });

  it('takes as little where Redis does not say what others take', () => {
    expect(shareOfSteps(new ScanPace(), { steps: 400, othersShare: 0, isKnown: false })).to.be.within(0.03, 0.055);
  });

  it('lets a search take 30 ms at once after a rest, whatever others do', () => {
    const pace = new ScanPace();
    shareOfSteps(pace, { steps: 100, othersShare: 0.5 });
    const busy = pace.pauseAfter({ server: '', beforeUs: -1, afterUs: -1 }, 100_000, 30);
    expect(busy, 'after a rest of seconds').to.equal(30);
    expect(pace.pauseAfter({ server: '', beforeUs: -1, afterUs: -1 }, 100_060, 10), 'behind it').to.be.greaterThan(100);
  });

  it('begins anew with a server that has used less than the one before', () => {
    const pace = new ScanPace();
    expect(pace.pauseAfter({ server: '', beforeUs: 9_000_000, afterUs: 9_002_000 }, 0, 2)).to.be.within(1, 1.1);
    expect(pace.pauseAfter({ server: '', beforeUs: 1_000, afterUs: 3_000 }, 200, 2)).to.be.within(1, 1.1);
  });
});
