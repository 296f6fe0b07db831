import { expect } from 'chai';

import { parseInstant } from '../../../../shared/domain/parse-instant.js';

describe('parseInstant', () => {
  const NOON = Date.UTC(2026, 10, 28, 12);
  const taken: readonly (readonly [text: string, at: number])[] = [
    ['2026-11-28T12:00:00Z', NOON],
    ['2026-11-28T13:00:00.5+01:00', NOON + 500],
    ['2026-11-28t12:00:00z', NOON],
    ['2026-11-28T12:00:00.1239999Z', NOON + 123],
    ['2026-11-28T00:30:00-11:30', NOON],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['9999-12-31T23:59:59.999Z', Date.UTC(9999, 11, 31, 23, 59, 59, 999)],
  ];
  for (const [text, at] of taken) {
    it(`reads ${text}`, () => {
      expect(parseInstant(text)).to.equal(at);
    });
  }

  for (const text of ['', '2026-11-28', '2026-11-28T12:00:00', '2026-11-28 12:00:00Z', '2026-11-28T12:00Z', '2026-02-29T12:00:00Z', '2026-04-31T12:00:00Z', '2026-13-01T12:00:00Z', '2026-11-28T24:00:00Z', '2026-11-28T12:60:00Z', '2026-11-28T23:59:60Z', '2026-11-28T12:00:00+25:00', '+002026-11-28T12:00:00Z', 'x2026-11-28T12:00:00Z', '9999-12-31T23:59:59-00:01', '0000-01-01T00:00:00+00:01']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseInstant(text)).to.equal(undefined);
    });
  }
});
