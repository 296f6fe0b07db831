import { expect } from 'chai';

import { dueAtOfScore, highestDueScore } from '../../../../../shared/queue/engine/due-score.js';

describe('due-score', () => {
  const at = Date.UTC(2026, 10, 23, 12);

  it('reads the time of a score, whatever its running number', () => {
    for (const running of [0, 1, 4_095]) expect(dueAtOfScore(String(at * 4_096 + running))).to.equal(at);
  });

  it('takes what is due in this very millisecond for due, and what is due in the next one not', () => {
    const highest = highestDueScore(at);
    expect(highest).to.be.at.least(at * 4_096 + 4_095);
    expect(highest).to.be.below((at + 1) * 4_096);
  });
});
