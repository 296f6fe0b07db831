import { expect } from 'chai';
import fc from 'fast-check';

import { limitShares } from '../../../../../shared/domain/bulk-actions/limit-shares.js';

describe('the share of each shard in a limit', () => {
  const shares = (scores: readonly (readonly number[])[], limit: number): Promise<readonly number[]> => {
    const all = scores.flat();
    const countUpTo = (score: number): Promise<readonly number[]> => Promise.resolve(scores.map((shard) => shard.filter((each) => each <= score).length));
    return limitShares(scores.map(({ length }) => length), limit, Math.min(...all), Math.max(...all), countUpTo);
  };

  it('is all that was found, where the limit is higher', async () => {
    expect(await shares([[1, 2], [3]], 5)).to.deep.equal([2, 1]);
  });

  it('takes the first ones of all shards together', async () => {
    expect(await shares([[1, 5, 9], [2, 3, 4]], 4)).to.deep.equal([1, 3]);
  });

  it('takes as many as the limit says where all have the same time', async () => {
    expect(await shares([[7, 7, 7], [7, 7]], 4)).to.deep.equal([3, 1]);
  });

  it('is never more than a shard has, never more or less than the limit, and leaves no earlier task for a later one', async () => {
    const shard = fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.array(shard, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 60 }), async (scores, limit) => {
        fc.pre(scores.flat().length > 0);
        const found = await shares(scores, limit);
        expect(found.reduce((sum, share) => sum + share, 0)).to.equal(Math.min(limit, scores.flat().length));
        const sorted = scores.map((each) => [...each].sort((a, b) => a - b));
        const taken = sorted.flatMap((each, index) => each.slice(0, found[index]));
        const left = sorted.flatMap((each, index) => each.slice(found[index]));
        if (left.length > 0 && taken.length > 0) expect(Math.max(...taken)).to.be.at.most(Math.min(...left));
      }),
    );
  });
});
