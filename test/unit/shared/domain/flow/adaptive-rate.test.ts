import { expect } from 'chai';
import fc from 'fast-check';

import { AdaptiveRate } from '../../../../../shared/domain/flow/adaptive-rate.js';

describe('AdaptiveRate', () => {
  it('sends half of what was too much, and at first not less than ten a second', () => {
    expect([100, 30, 8, 1, 0].map((sent) => new AdaptiveRate(sent, 0).perSecond)).to.deep.equal([50, 15, 10, 10, 10]);
  });

  it('goes below ten a second only for what is refused at ten a second, and never below one', () => {
    const rate = new AdaptiveRate(60, 0);
    const after = [1_000, 2_000, 3_000, 4_000, 5_000, 6_000].map((at) => {
      rate.lower(at);
      return rate.perSecond;
    });
    expect(after).to.deep.equal([15, 10, 5, 2.5, 1.25, 1]);
  });

  it('takes a burst of refusals for one, and halves again a second later', () => {
    const rate = new AdaptiveRate(100, 0);
    const after = [100, 900, 1_000, 1_500, 2_000].map((at) => [rate.lower(at), rate.perSecond]);
    expect(after).to.deep.equal([[false, 50], [false, 50], [true, 25], [false, 25], [true, 12.5]]);
  });

  it('stays as it is in a second with a refusal that is not one too many', () => {
    const rate = new AdaptiveRate(100, 0);
    rate.hold(900);
    expect([rate.recover(1_800), rate.perSecond, rate.recover(1_900), rate.perSecond]).to.deep.equal([true, 50, true, 62.5]);
  });

  it('goes up by a quarter each second without a refusal, and is forgotten at twice what was too much', () => {
    const rate = new AdaptiveRate(100, 0);
    const steps: number[] = [];
    let at = 1_000;
    for (; rate.recover(at); at += 1_000) steps.push(rate.perSecond);
    expect(steps.slice(0, 2)).to.deep.equal([62.5, 78.125]);
    expect(steps.at(-1)).to.be.within(150, 200);
    expect(at).to.equal(7_000);
  });

  it('never rises as long as each second brings a refusal', () => {
    const rate = new AdaptiveRate(1_000, 0);
    let before = rate.perSecond;
    for (let at = 200; at <= 20_000; at += 200) {
      // As the process does it: a look every 200 ms, refusals in between.
      expect(rate.recover(at)).to.equal(true);
      rate.lower(at + 50);
      expect(rate.perSecond).to.be.at.most(before);
      before = rate.perSecond;
    }
    expect(rate.perSecond).to.equal(1);
  });

  it('lowers again after it had begun to recover', () => {
    const rate = new AdaptiveRate(100, 0);
    rate.recover(3_100);
    const recovered = rate.perSecond;
    rate.lower(3_300);
    expect([recovered > 50, rate.perSecond]).to.deep.equal([true, recovered / 2]);
  });

  it('starts no more in any time than the rate allows for it and one more, and a quarter second at once', () => {
    fc.assert(fc.property(fc.integer({ min: 2, max: 2_000 }), fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 50 }), (sent, waits) => {
      const rate = new AdaptiveRate(sent, 0);
      let now = 0;
      let taken = 0;
      for (const wait of waits) {
        now += wait;
        const available = rate.available(now);
        let one = 0;
        while (rate.take(now)) one += 1;
        expect(one).to.equal(available);
        expect(one).to.be.at.most(Math.max(1, rate.perSecond / 4));
        taken += one;
      }
      expect(taken).to.be.at.most(1 + (now / 1_000) * rate.perSecond + 1e-6);
    }));
  });
});
