import { expect } from 'chai';

import { ApiError, NoAnswerError } from '../../../client/api-error.js';
import { isWorthRepeating, retryAfterMs, waitMs } from '../../../client/repeat-policy.js';

describe('a call of the client', () => {
  const refused = (status: number, code: string, asked?: number): ApiError => new ApiError(status, code, 'x', null, [], asked, undefined);

  it('is made again where nothing was done, and otherwise only if it may be done twice', () => {
    const rows: readonly (readonly [Error, mayBeTwice: boolean, mayNot: boolean])[] = [
      ...['overloaded', 'redis_full', 'redis_refused'].map((code) => [refused(503, code), true, true] as const),
      ...['no_worker', 'redis_unavailable', 'unknown', 'one of a later version'].map((code) => [refused(503, code), true, false] as const),
      [refused(429, 'rate_limited'), true, true],
      [refused(429, 'quota_exceeded'), false, false],
      [refused(502, 'unknown'), true, false],
      [refused(500, 'internal'), false, false],
      [new NoAnswerError('x', true), true, true],
      [new NoAnswerError('x', false), true, false],
      [refused(429, 'rate_limited', 60_000), true, true],
      [refused(503, 'overloaded', 60_001), false, false],
    ];
    for (const [error, mayBeTwice, mayNot] of rows) expect([isWorthRepeating(error, true), isWorthRepeating(error, false)], JSON.stringify(error)).to.deep.equal([mayBeTwice, mayNot]);
  });

  it('waits for as long as Retry-After asks, in seconds or until a time', () => {
    const now = Date.parse('2026-11-28T12:00:00Z');
    const asked = (text: string, date?: string): number | undefined => retryAfterMs(new Headers({ 'retry-after': text, ...(date === undefined ? {} : { date }) }), now);
    expect([asked('60'), asked('0'), asked('1.5'), asked('soon'), asked(''), asked('-5')]).to.deep.equal([60_000, 0, 1_500, undefined, undefined, undefined]);
    expect(asked('Sat, 28 Nov 2026 12:00:45 GMT')).to.equal(45_000);
    expect(asked('Sat, 28 Nov 2026 12:00:45 GMT', 'Sat, 28 Nov 2026 12:00:15 GMT'), 'by the clock of the server').to.equal(30_000);
    expect(asked('Sat, 28 Nov 2026 11:00:00 GMT')).to.equal(0);
    expect(retryAfterMs(new Headers(), now)).to.equal(undefined);
    expect(waitMs(refused(429, 'rate_limited', 60_000), 0)).to.equal(60_000);
    expect(waitMs(refused(429, 'rate_limited'), 0)).to.be.within(50, 100);
  });
});
