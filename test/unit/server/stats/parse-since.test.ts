import { expect } from 'chai';

import { parseSince } from '../../../../server/stats/parse-since.js';
import { RequestError } from '../../../../shared/domain/errors.js';

const NOW = Date.parse('2026-11-28T12:00:00Z');
const parse = (since?: string): number => parseSince(new Map(since === undefined ? [] : [['since', since]]), NOW);

describe('?since=', () => {
  const taken = [[undefined, 3_600_000], ['90s', 90_000], ['15m', 900_000], ['24h', 86_400_000], ['1d', 86_400_000], ['2026-11-28T11:30:00Z', 1_800_000], ['2026-11-28T12:30:00.500+01:00', 1_799_500]] as const;
  for (const [text, ms] of taken) {
    it(`${text === undefined ? 'left out' : `of ${text}`} goes back ${ms} ms`, () => { expect(parse(text)).to.equal(ms); });
  }

  for (const text of ['', '0s', '-1h', '25h', '1', 'yesterday', '2026-11-28', '2026-11-28T11:30:00', '2026-11-28T12:00:01Z', '2026-11-27T11:59:59Z', '2026-13-28T11:30:00Z']) {
    it(`of ${JSON.stringify(text)} is refused, with what is taken`, () => {
      expect(() => parse(text)).to.throw(RequestError, 'such as 15m, 1h or 24h').with.property('code', 'invalid_request');
    });
  }
});
