import { expect } from 'chai';

import { Turns } from '../../../../server/ops/turns.js';

describe('Turns', () => {
  it('lets no more run at once than it was told, in the order in which they came, also when some fail', async () => {
    const turns = new Turns(2);
    const begun: number[] = [];
    let running = 0;
    let most = 0;
    const works = Array.from({ length: 7 }, (_, nth) =>
      turns.take(async () => {
        begun.push(nth);
        running += 1;
        most = Math.max(most, running);
        await new Promise(setImmediate);
        running -= 1;
        if (nth % 3 === 0) throw new Error(`the ${nth}th fails`);
        return nth;
      }).catch((error: unknown) => String(error)),
    );
    expect(await Promise.all(works)).to.deep.equal(['Error: the 0th fails', 1, 2, 'Error: the 3th fails', 4, 5, 'Error: the 6th fails']);
    expect(begun).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    expect(most).to.equal(2);
  });
});
