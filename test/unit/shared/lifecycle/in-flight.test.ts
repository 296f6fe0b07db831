import { expect } from 'chai';

import { printInFlight } from '../../../../shared/lifecycle/in-flight.js';

describe('printInFlight', () => {
  const cases: readonly (readonly [count: number, limitMs: number, text: string])[] = [
    [0, 10_000, 'nothing in flight'],
    [1, 10_000, '1 send in flight, up to 10 s'],
    [12, 2_500, '12 sends in flight, up to 2.5 s'],
  ];
  for (const [count, limitMs, text] of cases) {
    it(`says: ${text}`, () => {
      expect(printInFlight(count, ['send', 'sends'], limitMs)).to.equal(text);
    });
  }
});
