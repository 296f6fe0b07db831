import { expect } from 'chai';

import { seeReadOnly, type ReadOnlySpell } from '../../../../shared/redis/read-only-spell.js';

describe('seeReadOnly', () => {
  it('has the connection made anew at once, then 1, 2, 4, 8 s after the first answer, and at last every minute', () => {
    let spell: ReadOnlySpell | undefined;
    const dueAt: number[] = [];
    for (let seconds = 0; seconds <= 250; seconds += 0.5) {
      const seen = seeReadOnly(spell, seconds * 1_000);
      if (seen.isDue) dueAt.push(seconds);
      ({ spell } = seen);
    }
    expect(dueAt).to.deep.equal([0, 1, 2, 4, 8, 16, 32, 64, 124, 184, 244]);
  });

  it('begins anew when there was none for 90 s', () => {
    const { spell } = seeReadOnly({ since: 0, lastSeen: 10_000, lastReconnect: 8_000 }, 100_000);
    expect(spell.since).to.equal(100_000);
  });
});
