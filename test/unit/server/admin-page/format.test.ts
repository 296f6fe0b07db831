import { expect } from 'chai';

import { bytes, count, distance, duration, DURATION_STEPS, localTime, percent, rate, retriesText, shortCount, shortKey, words } from '../../../../server/admin-page/state/format.js';
import { placeOnAxis, plannedAfter } from '../../../../server/admin-page/state/time-axis.js';

describe('what the page writes', () => {
  it('lengths in two units at most', () => {
    const cases: readonly (readonly [number | null, string])[] = [
      [null, '–'], [0, '0 ms'], [999, '999 ms'], [1_000, '1 s'], [1_250, '1.3 s'], [59_999, '1 min'], [61_000, '1 min 1 s'], [3_600_000, '1 h'], [3_605_000, '1 h'], [90_061_000, '1 d 1 h'], [86_400_000, '1 d'],
    ];
    for (const [ms, text] of cases) expect([ms, duration(ms)]).to.deep.equal([ms, text]);
  });

  it('steps of an axis in one unit, each soon behind the other', () => {
    for (const [nth, step] of DURATION_STEPS.entries()) {
      expect(duration(step)).to.match(/^\d+ \w+$/);
      expect(step / (DURATION_STEPS[nth - 1] ?? step)).to.be.within(1, 2.5);
    }
  });

  it('distances from now, both ways', () => {
    expect([distance(1_000, 4_000), distance(65_000, 4_000), distance(4_500, 4_000)]).to.deep.equal(['3 s ago', 'in 1 min 1 s', 'now']);
  });

  it('numbers', () => {
    expect([count(1_234_567), count(null), shortCount(9_999), shortCount(12_345), shortCount(1_000_000), shortCount(123_456_789)]).to.deep.equal(['1,234,567', '–', '9,999', '12.3k', '1M', '123M']);
    expect([rate(null), rate(0), rate(0.012), rate(3.25), rate(1_234.5)]).to.deep.equal(['–', '0', '0.01', '3.3', '1,235']);
    expect([1, 0, 5].map((max_retries) => retriesText({ max_retries, base_delay: 2, max_delay: 86_400 }))).to.deep.equal(['1, after 2 s', 'none', '5, the first after 2 s, at most 1 d apart']);
    expect(bytes(1)).to.equal('1 byte');
    expect([bytes(84), bytes(2_048), bytes(1_572_864)]).to.deep.equal(['84 bytes', '2 KiB', '1.5 MiB']);
    expect([percent(0), percent(0.001), percent(0.273), percent(1)]).to.deep.equal(['0 %', '<1 %', '27 %', '100 %']);
  });

  it('codes and keys', () => {
    expect([words('dead_lettered'), words('circuit_open'), shortKey('https://a.example/orders'), shortKey(`https://a.example/${'x'.repeat(90)}`, 20)]).to.deep.equal(['dead-lettered', 'circuit open', 'a.example/orders', 'a.example/…xxxxxxxxx']);
  });

  it('times of the reader: of today without its day, and with milliseconds where they are asked for', () => {
    const now = new Date(2026, 10, 29, 15, 0, 0);
    expect(localTime(new Date(2026, 10, 29, 14, 3, 9, 7), now)).to.equal('14:03:09');
    expect(localTime(new Date(2026, 10, 29, 14, 3, 9, 7), now, true)).to.equal('14:03:09.007');
    expect(localTime(new Date(2026, 10, 28, 14, 3, 9, 7), now)).to.equal('28 Nov 14:03:09');
    expect(localTime(new Date(2025, 10, 28, 14, 3, 9, 7), now)).to.equal('28 Nov 2025 14:03:09');
  });
});

describe('the time axis of a task', () => {
  it('plans the retries that are left by the policy, up to its longest wait', () => {
    expect(plannedAfter(10_000, 0, { max_retries: 4, base_delay: 1, max_delay: 3 })).to.deep.equal([11_000, 13_000, 16_000, 19_000]);
    expect(plannedAfter(10_000, 4, { max_retries: 4, base_delay: 1, max_delay: 3 })).to.deep.equal([]);
    expect(plannedAfter(0, 0, { max_retries: 100, base_delay: 1, max_delay: 1 })).to.have.lengthOf(8);
  });

  it('shows a gap of a second beside one of a day, in the order of time', () => {
    const day = 86_400_000;
    const points = placeOnAxis([{ at: day, kind: 'failed', label: 'c' }, { at: 0, kind: 'created', label: 'a' }, { at: 1_000, kind: 'failed', label: 'b' }]);
    expect(points.map(({ label }) => label)).to.deep.equal(['a', 'b', 'c']);
    const [a, b, c] = points.map(({ x }) => x);
    expect([a, c]).to.deep.equal([0, 1]);
    expect(b).to.be.within(0.15, 0.5);
    expect(placeOnAxis([{ at: 5, kind: 'created', label: 'one' }])[0]?.x).to.equal(0);
  });
});
