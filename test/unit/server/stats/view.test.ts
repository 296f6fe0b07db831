import { expect } from 'chai';

import { loadOf, toWireFailures, toWireHistory } from '../../../../server/stats/view.js';
import { createPathMask } from '../../../../shared/domain/destinations/path-mask.js';
import { readActivity } from '../../../../shared/domain/stats/activity.js';
import { groupOf, type FailureCounts } from '../../../../shared/domain/stats/failure-groups.js';

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

describe('the groups of failures', () => {
  it('have the most first where one was counted under two names, and is hidden now', () => {
    const mask = createPathMask(['h.example']);
    const group = (destinationKey: string): string => groupOf({ destinationKey, code: 'timeout', httpStatus: undefined });
    const counts = (retry: number): FailureCounts => ({ byNext: { retry, dead_letter: 0, park: 0 }, dead: 0, firstAt: NOON, lastAt: NOON, samples: [] });
    const groups = new Map([[group('https://other.example/a'), counts(5)], [group('https://h.example/T1'), counts(3)], [group(`https://h.example${mask('h.example', '/T1')}`), counts(4)]]);
    // The answer is read as a client reads it.
    const shown = toWireFailures({ since: NOON, groups }, mask) as { readonly groups: readonly { readonly count: number }[] };
    expect(shown.groups.map(({ count }) => count)).to.deep.equal([7, 5]);
  });
});
