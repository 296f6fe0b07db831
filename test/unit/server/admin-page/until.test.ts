import { expect } from 'chai';

import { untilOf } from '../../../../server/admin-page/state/until.js';

describe('the end of a pause, as a person writes it', () => {
  it('is a length from now, left to Redis\' clock', () => {
    expect(['30min', '30m', '+2h', ' 2 h ', '1d', ''].map(untilOf)).to.deep.equal(['+30m', '+30m', '+2h', '+2h', '+1d', undefined]);
  });

  it('is a time of the reader\'s own zone', () => {
    expect(untilOf('2026-11-30 08:00')).to.equal(new Date(2026, 10, 30, 8, 0).toISOString());
    expect(untilOf('2026-11-30')).to.equal(new Date(2026, 10, 30).toISOString());
  });

  it('is nothing that is read in two ways, or is no day', () => {
    for (const text of ['45', '12', '11/30/2026', '2026-02-31', '2026-11-30 24:00', '2026-13-01', 'tomorrow', '2h 30min', '2026-11-30T08:00:00Z']) expect(() => untilOf(text), text).to.throw('Write a length');
  });
});
