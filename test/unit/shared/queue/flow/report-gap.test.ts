import { expect } from 'chai';

import { ReportGap } from '../../../../../shared/queue/flow/report-gap.js';

describe('what is known of the workers from their reports', () => {
  let now: number;
  let gap: ReportGap;
  beforeEach(() => {
    now = 10_000;
    gap = new ReportGap(() => now);
  });

  it('is their number, and also that there is none, where nothing kept them from reporting', () => {
    expect([gap.known(3), gap.known(0)]).to.deep.equal([3, 0]);
  });

  it('is nothing while none can report, and for 5 s after that as long as none has', () => {
    expect(gap.known(undefined)).to.equal(undefined);
    now += 4_999;
    expect([gap.known(0), gap.known(1)]).to.deep.equal([undefined, 1]);
    now += 1;
    expect(gap.known(0)).to.equal(0);
  });

  it('is the same where something else has seen that they could not report', () => {
    gap.seen();
    expect(gap.known(0)).to.equal(undefined);
    now += 5_000;
    expect(gap.known(0)).to.equal(0);
  });
});
