import { expect } from 'chai';
import fc from 'fast-check';

import { averageLatencyMs, endingSoon, mayStart, threshold, type BulkheadRules, type DestinationLoad } from '../../../../../shared/domain/flow/bulkhead-rules.js';

const rules: BulkheadRules = { slots: 100, minimum: 2, holdMs: 250, firstHoldMs: 50 };

function load(changes: Partial<DestinationLoad>): DestinationLoad {
  return { inFlight: 0, held: 0, latencyMs: undefined, oldestMs: 0, window: Infinity, ...changes };
}

describe('mayStart', () => {
  const cases: readonly (readonly [name: string, load: Partial<DestinationLoad>, total: number, expected: ReturnType<typeof mayStart>])[] = [
    ['beyond what it has shown to bear, however many slots are free', { inFlight: 16, window: 16, latencyMs: 20 }, 16, { kind: 'hold', holdMs: 250 }],
    ['the first send of an idle process', {}, 0, { kind: 'start' }],
    ['a lone destination, up to half of the slots', { inFlight: 49 }, 49, { kind: 'start' }],
    ['and not beyond: nothing is known of it, so its first answers are awaited shortly', { inFlight: 50 }, 50, { kind: 'hold', holdMs: 50 }],
    ['the same, and they have not come', { inFlight: 50, oldestMs: 51 }, 50, { kind: 'defer' }],
    ['a fast one beyond its share waits in its slot', { inFlight: 50, latencyMs: 20, oldestMs: 30 }, 50, { kind: 'hold', holdMs: 250 }],
    ['but not behind too many others', { inFlight: 10, held: 130, latencyMs: 20 }, 95, { kind: 'defer' }],
    ['a slow one is deferred at once', { inFlight: 50, latencyMs: 5_000, oldestMs: 10 }, 50, { kind: 'defer' }],
    ['one that was fast and hangs now, too', { inFlight: 50, latencyMs: 20, oldestMs: 251 }, 50, { kind: 'defer' }],
    ['a newcomer beside a slow one', { inFlight: 0 }, 50, { kind: 'start' }],
    ['two are always allowed, however full it is', { inFlight: 1, latencyMs: 5_000, oldestMs: 4_000 }, 100, { kind: 'start' }],
    ['the third is not', { inFlight: 2, latencyMs: 5_000, oldestMs: 4_000 }, 100, { kind: 'defer' }],
  ];
  for (const [name, given, total, expected] of cases) {
    it(name, () => expect(mayStart(load(given), total, rules)).to.deep.equal(expected));
  }

  it('leaves room for a newcomer, whatever number of slow destinations fill up as far as they may', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 100, max: 1_000 }), (destinations, slots) => {
      const inFlight = Array.from({ length: destinations }, () => 0);
      const total = (): number => inFlight.reduce((sum, count) => sum + count, 0);
      let isMoving = true;
      while (isMoving) {
        isMoving = false;
        for (const [nth, count] of inFlight.entries()) {
          if (mayStart(load({ inFlight: count, latencyMs: 5_000 }), total(), { ...rules, slots }).kind !== 'start') continue;
          inFlight[nth] = count + 1;
          isMoving = true;
        }
      }
      const share = slots / (destinations + 1);
      expect(slots - total(), 'free').to.be.at.least(Math.floor(share) - 1);
      expect(Math.max(...inFlight) - Math.min(...inFlight), 'alike').to.be.at.most(1);
    }));
  });
});

describe('threshold', () => {
  it('is what is free, and never less than the minimum', () => {
    expect([0, 40, 98, 99, 250].map((total) => threshold(total, rules))).to.deep.equal([100, 60, 2, 2, 2]);
  });
});

describe('endingSoon', () => {
  it('is those of a fast destination that end within 20 ms', () => {
    const of = (inFlight: number, latencyMs: number | undefined): number => endingSoon({ inFlight, latencyMs }, rules);
    expect([of(100, 50), of(100, 250), of(1, 250), of(100, 3), of(0, 3)]).to.deep.equal([40, 8, 1, 100, 0]);
    expect([of(100, undefined), of(100, 251), of(100, 5_000)], 'unknown or slow').to.deep.equal([0, 0, 0]);
  });
});

describe('averageLatencyMs', () => {
  it('begins with the first value and follows a change within some ten sends', () => {
    expect(averageLatencyMs(undefined, 30)).to.equal(30);
    let average = 10;
    for (let nth = 0; nth < 10; nth += 1) average = averageLatencyMs(average, 1_000);
    expect(average).to.be.within(800, 1_000);
  });
});
