import { expect } from 'chai';

import { countsWithAway, estimateDoneAt, inProgress, noCounts, sumOfCounts } from '../../../../../shared/domain/bulk-actions/bulk-counts.js';

describe('the numbers of a bulk action', () => {
  it('are those of all shards together', () => {
    expect(sumOfCounts([{ ...noCounts, matched: 3, pending: 1, changed: 2 }, { ...noCounts, matched: 4, started: 4 }])).to.deep.equal({ ...noCounts, matched: 7, pending: 1, changed: 2, started: 4 });
    expect(sumOfCounts([])).to.deep.equal(noCounts);
  });

  it('say how many runs have not ended, of a redrive alone', () => {
    const counts = { ...noCounts, started: 10, delivered: 4, failedAgain: 3, cancelled: 1 };
    expect(inProgress(counts, 'redrive')).to.equal(2);
    expect(inProgress(counts, 'cancel')).to.equal(0);
  });

  it('still add up to what was found while shards are away: those of theirs are pending, or behind the end started', () => {
    const known = { ...noCounts, matched: 4, pending: 1, started: 2, gone: 1 };
    expect(countsWithAway(known, 10, false)).to.deep.equal({ ...known, matched: 10, pending: 7 });
    expect(countsWithAway({ ...known, pending: 0, started: 3 }, 10, true)).to.deep.equal({ ...known, matched: 10, pending: 0, started: 9 });
    expect(countsWithAway(known, null, false), 'it is not known how many there are').to.deep.equal(known);
  });

  it('say when nothing will be left to start: by the rate, or as fast as until now', () => {
    const counts = { ...noCounts, matched: 100, pending: 50 };
    expect(estimateDoneAt(counts, 10, 0, 1_000)).to.equal(6_000);
    expect(estimateDoneAt(counts, null, 1_000, 3_000)).to.equal(5_000);
    expect(estimateDoneAt({ ...counts, pending: 100 }, null, 1_000, 3_000), 'nothing was started').to.equal(undefined);
    expect(estimateDoneAt({ ...counts, overLimit: 50 }, null, 1_000, 3_000), 'what is over the limit has no turn').to.equal(undefined);
  });
});
