import { expect } from 'chai';

import { largestGroups, MOST_SHOWN_GROUPS } from '../../../../server/search/largest-groups.js';

describe('largestGroups', () => {
  const groupsOf = (many: number): Map<string | null, number> => new Map(Array.from({ length: many }, (_, nth) => [`group-${nth}`, nth + 1]));

  it('gives all of a few groups, the largest first, and that of tasks without a value at its place', () => {
    expect(largestGroups(new Map([['a', 1], [null, 5], ['b', 9]]))).to.deep.equal([{ value: 'b', count: 9 }, { value: null, count: 5 }, { value: 'a', count: 1 }]);
    expect(largestGroups(new Map())).to.deep.equal([]);
    expect(largestGroups(groupsOf(MOST_SHOWN_GROUPS))).to.have.lengthOf(MOST_SHOWN_GROUPS);
  });

  it('adds what is beyond 1,000 to the group of null, so that the sum stays the same', () => {
    const groups = groupsOf(20_000).set(null, 7);
    const shown = largestGroups(groups);
    expect(shown).to.have.lengthOf(MOST_SHOWN_GROUPS + 1);
    const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0);
    expect(sum(shown.map(({ count }) => count))).to.equal(sum(groups.values()));
    expect(shown[1]).to.deep.equal({ value: 'group-19999', count: 20_000 });
    expect(shown[0]?.value).to.equal(null);
  });
});
