import { expect } from 'chai';

import { capacityOf, fillOf, KeyAllowance, shareOf } from '../../../../../shared/domain/access/rate-limit.js';

/** The bucket in Redis: see rate-scripts.ts. */
class SharedBucket {
  #at = 0;
  #level: number;

  constructor(private readonly perSecond: number) {
    this.#level = capacityOf(perSecond);
  }

  settle(taken: number, now: number): number {
    this.#level = Math.min(capacityOf(this.perSecond), this.#level + (now - this.#at) * fillOf(this.perSecond)) - taken;
    this.#at = now;
    return this.#level;
  }
}

/** Lets processes take all that they get, settling each 200 ms, but not at the same moments. @returns what was taken in each ms */
function flood(perSecond: number, processes: number, untilMs: number): number[] {
  const bucket = new SharedBucket(perSecond);
  const allowances = Array.from({ length: processes }, () => new KeyAllowance(perSecond, 0));
  for (const each of allowances) each.learn(bucket.settle(each.tell(), 0), processes, 0);
  return Array.from({ length: untilMs }, (_, now) => {
    let taken = 0;
    allowances.forEach((each, nth) => {
      if (now % 200 === (nth * 37) % 200) each.learn(bucket.settle(each.tell(), now), processes, now);
      while (each.take(now)) taken += 1;
    });
    return taken;
  });
}

describe('the rate limit of a key', () => {
  for (const [perSecond, processes] of [[100, 1], [100, 2], [1_000, 8], [7, 2], [5, 1], [40, 3]] as const) {
    it(`lets ${perSecond} a second pass within 10 % in every ten seconds, with ${processes} processes that are always asked`, () => {
      const taken = flood(perSecond, processes, 30_000);
      for (let from = 0; from <= 20_000; from += 500) {
        const within = taken.slice(from, from + 10_000).reduce((sum, each) => sum + each, 0);
        // One more each is what less than one of them comes to.
        expect(within, `from ${from} ms`).to.be.within(9 * perSecond - processes, 11 * perSecond + processes);
      }
    });
  }

  it('lets a key that was idle use a whole second at once, and one that asks for the next one wait', () => {
    const allowance = new KeyAllowance(5, 0);
    expect(Array.from({ length: 7 }, () => allowance.take(0))).to.deep.equal([true, true, true, true, true, false, false]);
    expect(allowance.left(0)).to.equal(0);
    expect(allowance.waitMs(0)).to.be.closeTo(1_000 / (0.95 * 5), 1);
    expect(allowance.take(200)).to.equal(false);
    expect(allowance.take(211)).to.equal(true);
    expect(allowance.left(60_000)).to.equal(5);
  });

  it('gives a process its part, a whole one of less, and nothing of a bucket that others have emptied', () => {
    const cases: readonly [level: number, processes: number, share: number][] = [[100, 1, 100], [100, 4, 25], [1.5, 3, 1], [0.5, 3, 0.5], [0, 3, 0], [-6, 3, -2]];
    for (const [level, processes, share] of cases) expect(shareOf(level, processes), `${level} of ${processes}`).to.equal(share);
    const allowance = new KeyAllowance(10, 0);
    allowance.learn(-10, 1, 0);
    expect(allowance.take(1_000)).to.equal(false);
    expect(allowance.take(1_200)).to.equal(true);
  });

  it('tells what was taken once, and counts what was taken while it told', () => {
    const allowance = new KeyAllowance(10, 0);
    for (let nth = 0; nth < 4; nth += 1) allowance.take(0);
    expect(allowance.tell()).to.equal(4);
    allowance.take(0);
    allowance.learn(6, 1, 0);
    expect(allowance.left(0), 'one of the six is taken').to.equal(5);
    expect([allowance.tell(), allowance.tell()]).to.deep.equal([1, 0]);
  });

  it('takes a limit below one a second: one in so many seconds', () => {
    const allowance = new KeyAllowance(0.5, 0);
    expect([allowance.take(0), allowance.take(0), allowance.take(2_000), allowance.take(2_200)]).to.deep.equal([true, false, false, true]);
  });
});
