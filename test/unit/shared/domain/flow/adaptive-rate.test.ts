import { expect } from 'chai';
import fc from 'fast-check';

import { AdaptiveRate } from '../../../../../shared/domain/flow/adaptive-rate.js';

describe('AdaptiveRate', () => {
  it('sends what was accepted, at least half and at most four fifths of what was too much, and at first not less than ten a second', () => {
    const cases = [[100, 10, 50], [100, 60, 60], [100, 90, 80], [30, 0, 15], [8, 4, 10], [0, 0, 10]] as const;
    for (const [sent, accepted, expected] of cases) expect(new AdaptiveRate(sent, accepted, 0).perSecond, `${accepted} of ${sent}`).to.equal(expected);
  });

  it('goes below ten a second only for what is refused at ten a second, and never below one', () => {
    const rate = new AdaptiveRate(60, 0, 0);
    const after = [1_000, 2_000, 3_000, 4_000, 5_000, 6_000].map((at) => {
      rate.lower(0, at);
      return rate.perSecond;
    });
    expect(after).to.deep.equal([15, 10, 5, 2.5, 1.25, 1]);
  });

  it('takes a burst of refusals for one, and lowers again a second later', () => {
    const rate = new AdaptiveRate(100, 0, 0);
    const after = [100, 900, 1_000, 1_500, 2_000].map((at) => [rate.lower(0, at), rate.perSecond]);
    expect(after).to.deep.equal([[false, 50], [false, 50], [true, 25], [false, 25], [true, 12.5]]);
  });

  it('goes up by a quarter each second without a refusal, and is forgotten at twice what was too much', () => {
    const rate = new AdaptiveRate(100, 0, 0);
    const steps: number[] = [];
    let at = 1_000;
    for (; rate.recover(0, at); at += 1_000) steps.push(rate.perSecond);
    expect(steps.slice(0, 2)).to.deep.equal([62.5, 78.125]);
    expect(steps.at(-1)).to.be.within(150, 200);
    expect(at).to.equal(7_000);
  });

  const shares: readonly (readonly [accepted: number, refused: number, weight: number, step: number])[] = [
    [92, 8, 1, 1 + 0.25 - 8 / 92],
    [90, 10, 1, 1 + 0.25 - 10 / 90],
    [80, 20, 1, 1],
    [70, 30, 1, 1],
    [80, 20, 0.25, 1 + 0.25 - 5 / 80],
    [55, 45, 0.25, 1 + 0.25 - 11.25 / 55],
    [50, 50, 0.25, 1],
    [0, 3, 0.25, 1],
  ];
  for (const [accepted, refused, weight, step] of shares) {
    it(`goes up to ${step.toFixed(3)} times as much when ${refused} of ${accepted + refused} answers of the step were refusals of weight ${weight}`, () => {
      const rate = new AdaptiveRate(100, 0, 0);
      for (let nth = 0; nth < accepted; nth += 1) rate.note(0, 500, 500);
      for (let nth = 0; nth < refused; nth += 1) rate.note(weight, 500, 500);
      expect(rate.recover(0, 1_000)).to.equal(true);
      expect(rate.perSecond).to.be.closeTo(50 * step, 1e-9);
      rate.recover(0, 2_000);
      expect(rate.perSecond, 'they count for one step').to.be.closeTo(50 * step * 1.25, 1e-9);
    });
  }

  it('also goes by the last seconds, since the answers of one step may be few', () => {
    const rate = new AdaptiveRate(100, 0, 0);
    rate.note(0, 500, 500);
    rate.recover(0.5, 1_000);
    expect(rate.perSecond).to.be.closeTo(50 * 1.125, 1e-9);
    rate.recover(Infinity, 2_000);
    expect(rate.perSecond).to.be.closeTo(50 * 1.125, 1e-9);
  });

  it('is not raised before the sends of its own step were answered, for ten seconds at most', () => {
    const rate = new AdaptiveRate(100, 0, 0);
    rate.take(0);
    for (const at of [1_000, 2_000, 3_000]) rate.recover(0, at);
    rate.note(0, 0, 3_100);
    rate.recover(0, 3_400);
    expect(rate.perSecond).to.equal(50);
    rate.recover(0, 3_600);
    expect(rate.perSecond).to.equal(62.5);
    rate.take(3_600);
    rate.recover(0, 13_400);
    expect(rate.perSecond).to.equal(62.5);
    rate.recover(0, 13_600);
    expect(rate.perSecond).to.equal(78.125);
  });

  it('is not forgotten while more sends come than it lets start', () => {
    const rate = new AdaptiveRate(20, 0, 0);
    let now = 0;
    const isKept = (): boolean => {
      while (rate.take(now)) rate.note(0, now, now);
      now += 1_000;
      return rate.recover(0, now);
    };
    for (let nth = 0; nth < 20; nth += 1) expect(isKept()).to.equal(true);
    expect(rate.perSecond).to.be.above(500);
    expect(rate.recover(0, now + 1_000)).to.equal(false);
  });

  it('leaves answers to sends alone that began before it was lowered', () => {
    const rate = new AdaptiveRate(100, 0, 5_000);
    for (let nth = 0; nth < 20; nth += 1) rate.note(1, 4_999, 5_100);
    rate.recover(0, 6_000);
    expect(rate.perSecond).to.equal(62.5);
  });

  it('takes one step after a standstill, in which nothing was sent', () => {
    const rate = new AdaptiveRate(100, 0, 0);
    rate.recover(0, 10_000);
    rate.recover(0, 10_200);
    expect(rate.perSecond).to.equal(62.5);
    rate.recover(0, 11_000);
    expect(rate.perSecond).to.equal(78.125);
  });

  it('is led to at most 1.27 times what the receiver takes, in one step, from wherever below it', () => {
    fc.assert(fc.property(fc.double({ min: 0.5, max: 1.26, noNaN: true }), (part) => {
      const [takes, sent] = [1_000, part * 1_000];
      const rate = new AdaptiveRate(sent * 2, 0, 0);
      for (let nth = 0; nth < Math.min(sent, takes); nth += 1) rate.note(0, 500, 500);
      for (let nth = takes; nth < sent; nth += 1) rate.note(1, 500, 500);
      rate.recover(0, 1_000);
      expect(rate.perSecond).to.be.at.least(sent).and.at.most(1.27 * takes);
    }));
  });

  it('lowers again after it had begun to recover', () => {
    const rate = new AdaptiveRate(100, 0, 0);
    for (const at of [1_000, 2_000, 3_000]) rate.recover(0, at);
    const recovered = rate.perSecond;
    rate.lower(0, 3_300);
    expect([recovered > 50, rate.perSecond]).to.deep.equal([true, recovered / 2]);
  });

  it('starts no more in any time than the rate allows for it and one more, and a quarter second at once', () => {
    fc.assert(fc.property(fc.integer({ min: 2, max: 2_000 }), fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 50 }), (sent, waits) => {
      const rate = new AdaptiveRate(sent, 0, 0);
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
