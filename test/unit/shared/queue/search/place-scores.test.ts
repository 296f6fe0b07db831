import { expect } from 'chai';

import { fixTimes, parseQuery } from '../../../../../shared/domain/search/filter.js';
import { isHeldByScore, scoresFor } from '../../../../../shared/queue/search/place-scores.js';
import type { SearchPlace } from '../../../../../shared/queue/search/search-places.js';

const NOW = 1_800_000_000_000;
const scores = (q: string, place: SearchPlace) => scoresFor(fixTimes(parseQuery(q), NOW), place);

describe('the scores that a filter leaves', () => {
  it('are those of the time that a set is ordered by', () => {
    expect(scores('finished_at:-2s..-1s', 'failed')).to.deep.equal({ min: String(NOW - 2_000), max: String(NOW - 1_000) });
    expect(scores('finished_at:>-2s', 'completed')).to.deep.equal({ min: String(NOW - 1_999) });
    expect(scores('next_attempt_at:+1s..+2s', 'delayed')).to.deep.equal({ min: String((NOW + 1_000) * 4_096), max: `(${(NOW + 2_001) * 4_096}` });
    expect(scores('updated_at:<-1s', 'completed'), 'a change is not before the end').to.deep.equal({ max: String(NOW - 1_001) });
  });

  it('are those of all ranges of a condition, and of all conditions together', () => {
    expect(scores('finished_at:-9s..-8s,-3s..-2s finished_at:<-5s', 'failed')).to.deep.equal({ min: String(NOW - 9_000), max: String(NOW - 5_001) });
  });

  it('are all of them where the time is another one, or must not match', () => {
    expect(scores('finished_at:>-1s', 'delayed')).to.equal(undefined);
    expect(scores('next_attempt_at:>-1s', 'prioritized')).to.equal(undefined);
    expect(scores('created_at:>-1s updated_at:>-1s', 'completed')).to.equal(undefined);
    expect(scores('-finished_at:>-1s finished_at:*', 'completed')).to.equal(undefined);
  });

  it('say that a single range is true, and of nothing else', () => {
    const isHeld = (q: string, place: SearchPlace) => fixTimes(parseQuery(q), NOW).map((condition) => isHeldByScore(condition, place));
    expect(isHeld('finished_at:>-1s updated_at:<-1s -finished_at:<-9s finished_at:-3s,-2s', 'failed')).to.deep.equal([true, false, false, false]);
    expect(isHeld('next_attempt_at:>-1s', 'wait')).to.deep.equal([false]);
  });
});
