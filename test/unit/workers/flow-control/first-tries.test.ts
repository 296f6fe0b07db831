import { expect } from 'chai';

import { FirstTries } from '../../../../workers/flow-control/first-tries.js';

describe('tries of tasks that were never sent', () => {
  const takenOf = (tries: FirstTries, asked: number, now: number): number => Array.from({ length: asked }, () => tries.take('circuit', now)).filter(Boolean).length;

  it('are ten at once and one more a second, for each circuit', () => {
    const tries = new FirstTries();
    expect([takenOf(tries, 30, 0), takenOf(tries, 30, 999), takenOf(tries, 30, 2_500), tries.take('another', 2_500)]).to.deep.equal([10, 0, 2, true]);
  });

  it('do not count when they are answered', () => {
    const tries = new FirstTries();
    takenOf(tries, 10, 0);
    for (let nth = 0; nth < 100; nth += 1) {
      tries.giveBack('circuit');
      expect(tries.take('circuit', 0)).to.equal(true);
    }
    expect(tries.take('circuit', 0)).to.equal(false);
  });

  it('are not as many anew when they are forgotten before they could be', () => {
    const tries = new FirstTries();
    takenOf(tries, 10, 0);
    tries.forgetOld(9_000);
    expect(takenOf(tries, 30, 9_000)).to.equal(9);
  });
});
