import { expect } from 'chai';

import { parseHttpDate } from '../../../../../workers/adapters/http/http-date.js';

describe('parseHttpDate', () => {
  const nowMs = Date.parse('2026-03-01T12:00:00Z');

  const cases: readonly (readonly [text: string, iso: string | undefined, why: string])[] = [
    ['Sun, 06 Nov 1994 08:49:37 GMT', '1994-11-06T08:49:37.000Z', 'the form of today'],
    ['Sun, 6 Nov 1994 08:49:37 GMT', '1994-11-06T08:49:37.000Z', 'a day of one digit'],
    ['Sunday, 06-Nov-94 08:49:37 GMT', '1994-11-06T08:49:37.000Z', 'RFC 850, in the past'],
    ['Sunday, 01-Mar-26 12:00:10 GMT', '2026-03-01T12:00:10.000Z', 'RFC 850, now'],
    ['Sunday, 01-Mar-76 12:00:10 GMT', '2076-03-01T12:00:10.000Z', 'RFC 850, 50 years in the future'],
    ['Monday, 01-Mar-77 12:00:10 GMT', '1977-03-01T12:00:10.000Z', 'RFC 850, what would be more than 50 years in the future'],
    ['Sun Nov  6 08:49:37 1994', '1994-11-06T08:49:37.000Z', 'asctime'],
    ['Wed Nov 16 08:49:37 1994', '1994-11-16T08:49:37.000Z', 'asctime, a day of two digits'],
    ['Sat, 31 Dec 2016 23:59:60 GMT', '2017-01-01T00:00:00.000Z', 'a leap second'],
    ['Thu, 29 Feb 2024 00:00:00 GMT', '2024-02-29T00:00:00.000Z', 'a leap day'],
    ['Mon, 06 Nov 1994 08:49:37 GMT', '1994-11-06T08:49:37.000Z', 'the wrong day of the week'],
    ['Sat, 01 Jan 0050 00:00:00 GMT', '0050-01-01T00:00:00.000Z', 'a year far away'],
    ['Wed, 29 Feb 2023 00:00:00 GMT', undefined, 'no leap year'],
    ['Sun, 31 Apr 2026 00:00:00 GMT', undefined, 'a day that the month lacks'],
    ['Sun, 00 Mar 2026 00:00:00 GMT', undefined, 'day 0'],
    ['Sun, 01 Mar 2026 24:00:00 GMT', undefined, 'hour 24'],
    ['Sun, 01 Mar 2026 23:60:00 GMT', undefined, 'minute 60'],
    ['Sun, 01 Mar 2026 23:59:61 GMT', undefined, 'second 61'],
    ['sun, 01 MAR 2026 12:00:10 gmt', '2026-03-01T12:00:10.000Z', 'another case'],
    ['SUNDAY, 01-mar-26 12:00:10 GMT', '2026-03-01T12:00:10.000Z', 'RFC 850 in another case'],
    ['sun mar  1 12:00:10 2026', '2026-03-01T12:00:10.000Z', 'asctime in another case'],
    ['Sun, 01 Mar 2026 12:00:10 UTC', undefined, 'a zone that is not GMT'],
    ['Sun, 01 Mar 2026 12:00:10 +0100', undefined, 'another zone'],
    ['Sunday, 01-Mar-2026 12:00:10 GMT', undefined, 'half of one form and half of another'],
    ['2026-03-01T12:00:10Z', undefined, 'another form'],
    ['-5', undefined, 'a number'],
    ['', undefined, 'nothing'],
  ];
  for (const [text, iso, why] of cases) {
    it(`reads ${JSON.stringify(text)} as ${iso ?? 'no date'}: ${why}`, () => {
      const ms = parseHttpDate(text, nowMs);
      expect(ms === undefined ? undefined : new Date(ms).toISOString()).to.equal(iso);
    });
  }

  it('takes a year of two digits for one of the next century when that is nearer', () => {
    expect(parseHttpDate('Saturday, 01-Jan-01 00:00:00 GMT', Date.parse('2099-06-01T00:00:00Z'))).to.equal(Date.parse('2101-01-01T00:00:00Z'));
  });
});
