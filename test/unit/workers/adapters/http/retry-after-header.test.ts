import { expect } from 'chai';

import { parseRetryAfter } from '../../../../../workers/adapters/http/retry-after-header.js';

describe('parseRetryAfter', () => {
  const nowMs = Date.parse('2026-03-01T12:00:00.250Z');
  const yearMs = 365 * 86_400_000;

  const cases: readonly (readonly [value: string, ms: number | undefined, why: string])[] = [
    ['120', 120_000, 'seconds'],
    ['0', 0, 'now'],
    ['007', 7_000, 'leading zeros'],
    [' 5\t', 5_000, 'white space around it'],
    ['1.5', 1_500, 'a fraction, not legal but clear'],
    ['0.0001', 1, 'a fraction of a millisecond, rounded up: never early'],
    ['31536000', yearMs, 'a year'],
    ['31536001', yearMs, 'more than a year, cut'],
    ['9'.repeat(400), yearMs, 'a number beyond all numbers, cut'],
    ['Sun, 01 Mar 2026 12:00:10 GMT', 9_750, 'a date'],
    ['Sunday, 01-Mar-26 12:00:10 GMT', 9_750, 'a date of RFC 850'],
    ['Sun Mar  1 12:00:10 2026', 9_750, 'a date of asctime'],
    ['Sun, 01 Mar 2026 12:00:00 GMT', 0, 'a date just past'],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0, 'a date long past'],
    ['Fri, 31 Dec 9999 23:59:59 GMT', yearMs, 'a date far away, cut'],
    ['', undefined, 'nothing'],
    ['-5', undefined, 'a negative number'],
    ['+5', undefined, 'a sign'],
    ['5s', undefined, 'a unit'],
    ['1e3', undefined, 'an exponent'],
    ['0x10', undefined, 'a hexadecimal number'],
    ['.5', undefined, 'no digit before the point'],
    ['1,5', undefined, 'a comma'],
    ['5, 10', undefined, 'a list'],
    ['Infinity', undefined, 'infinity'],
    ['NaN', undefined, 'no number'],
    ['soon', undefined, 'a word'],
    ['2026-03-01T12:00:10Z', undefined, 'a date of another form'],
    ['Sun, 01 Mar 2026 12:00:10 CET', undefined, 'another zone'],
    ['Sun, 01 Mar 2026 25:61:61 GMT', undefined, 'an impossible time'],
    ['Sun, 41 Mar 2026 12:00:10 GMT', undefined, 'an impossible day'],
    ['１２０', undefined, 'digits that are not ASCII'],
  ];
  for (const [value, ms, why] of cases) {
    it(`reads ${JSON.stringify(value.slice(0, 40))} as ${ms ?? 'no wish'}: ${why}`, () => {
      expect(parseRetryAfter(value, nowMs)).to.equal(ms);
    });
  }
});
