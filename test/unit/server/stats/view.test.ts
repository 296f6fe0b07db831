import { expect } from 'chai';

import { loadOf, toWireHistory } from '../../../../server/stats/view.js';
import { readActivity } from '../../../../shared/domain/stats/activity.js';

const MINUTE = 60_000;
const NOON = Date.parse('2026-11-28T12:00:00Z');

describe('the history', () => {
  it('has a point for each minute, the oldest first, and nulls where nothing was recorded', () => {
    const activity = readActivity(['created', '3', 'delivered', '0', 'due', '2', 'late:0', '1', 'late:40', '1']);
    expect(toWireHistory([{ at: NOON + MINUTE, activity }], NOON, NOON + MINUTE, MINUTE)).to.deep.equal({
      step_ms: MINUTE,
      points: [
        { at: '2026-11-28T12:00:00.000Z', created: null, delivered: null, failed: null, dead_lettered: null, due: null, lateness_ms: { p50: null, p99: null } },
        { at: '2026-11-28T12:01:00.000Z', created: 3, delivered: 0, failed: null, dead_lettered: null, due: 2, lateness_ms: { p50: 0, p99: 1_023 } },
      ],
      is_complete: true,
      shards_away: [],
      known_at: null,
    });
  });
});

describe('the load', () => {
  it('is what is to do for each slot, and all of it without a slot', () => {
    expect(loadOf(150, 100)).to.equal(1.5);
    expect(loadOf(150, 0)).to.equal(150);
    expect(loadOf(0, 0)).to.equal(0);
  });
});
