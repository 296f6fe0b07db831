import { expect } from 'chai';

import { parseLimits, parseUntil } from '../../../../server/flow/schema.js';
import { parseLimit } from '../../../../server/http/list-limit.js';
import { RequestError } from '../../../../shared/domain/errors.js';
import type { FlowLimits } from '../../../../shared/domain/flow/flow-policy.js';

/** The fields that were complained about. */
function refusedFields(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    expect(error.code).to.equal('invalid_request');
    return (error.details ?? []).map(({ field }) => field);
  }
  throw new Error('taken');
}

describe('what an operator may set for a destination', () => {
  const taken: readonly (readonly [body: string, limits: FlowLimits | undefined])[] = [
    ['{}', undefined],
    ['{"reason":"too many 429"}', undefined],
    ['{"max_concurrency":1}', { maxConcurrency: 1 }],
    ['{"max_concurrency":null,"rate":null,"burst":null,"reason":null}', undefined],
    ['{"max_concurrency":null,"rate":2,"burst":null}', { ratePerSecond: 2 }],
    ['{"max_concurrency":100000}', { maxConcurrency: 100_000 }],
    ['{"rate":0.001}', { ratePerSecond: 0.001 }],
    ['{"rate":1000000,"burst":100000}', { ratePerSecond: 1_000_000, burst: 100_000 }],
    ['{"max_concurrency":10,"rate":2.5,"burst":1,"reason":"x"}', { maxConcurrency: 10, ratePerSecond: 2.5, burst: 1 }],
  ];
  for (const [body, limits] of taken) {
    it(`takes ${body}`, () => {
      expect(parseLimits(JSON.parse(body)).limits).to.deep.equal(limits);
    });
  }

  const refused: readonly (readonly [body: string, fields: readonly string[]])[] = [
    ['[]', ['']],
    ['null', ['']],
    ['7', ['']],
    ['{"max_concurrency":0}', ['max_concurrency']],
    ['{"max_concurrency":100001}', ['max_concurrency']],
    ['{"max_concurrency":1.5}', ['max_concurrency']],
    ['{"max_concurrency":"3"}', ['max_concurrency']],
    ['{"rate":0}', ['rate']],
    ['{"rate":0.0009}', ['rate']],
    ['{"rate":1000000.5}', ['rate']],
    ['{"rate":1,"burst":0}', ['burst']],
    ['{"rate":1,"burst":100001}', ['burst']],
    ['{"rate":1,"burst":1.5}', ['burst']],
    ['{"burst":5}', ['burst']],
    ['{"burst":5,"rate":null}', ['burst']],
    ['{"paused":null}', ['paused']],
    ['{"paused":true}', ['paused']],
    ['{"paused":false,"rate":1}', ['paused']],
    ['{"reason":""}', ['reason']],
    ['{"reason":1}', ['reason']],
    ['{"reason":"\\ud800"}', ['reason']],
    ['{"key":"a"}', ['key']],
    ['{"__proto__":{}}', ['__proto__']],
    ['{"max_concurrency":0,"rate":-1,"paused":"no","limit":3}', ['max_concurrency', 'rate', 'paused', 'limit']],
  ];
  for (const [body, fields] of refused) {
    it(`refuses ${body}, naming ${JSON.stringify(fields)}`, () => {
      expect(refusedFields(() => parseLimits(JSON.parse(body)))).to.have.members(fields);
    });
  }

  it('says where a destination is paused, and which name was probably meant', () => {
    expect(() => parseLimits({ paused: true })).to.throw(RequestError, 'POST /destinations/:key/pause');
    for (const [name, meant] of [['raet', 'rate'], ['rps', 'rate'], ['rate_limit', 'rate'], ['concurrency', 'max_concurrency'], ['maxInFlight', 'max_concurrency']] as const) {
      expect(() => parseLimits({ [name]: 1 })).to.throw(RequestError, `${name} is not allowed: did you mean ${meant}?`);
    }
  });

  it('says which names there are where none is near, and how a number is written', () => {
    expect(() => parseLimits({ window: 3 })).to.throw(RequestError, 'window is not allowed; known: max_concurrency, rate, burst, reason');
    expect(() => parseLimits({ rate: '2.5' })).to.throw(RequestError, 'rate must be a number: write 2.5 without quotes');
    expect(() => parseLimits({ rate: '0' })).to.throw(RequestError, 'rate must be a number, and must be greater than or equal to 0.001');
    expect(() => parseLimits({ max_concurrency: '200000' })).to.throw(RequestError, 'max_concurrency must be a number, and must be less than or equal to 100000');
    expect(() => parseLimits({ rate: '5/s' })).to.throw(RequestError, /rate must be a number$/);
  });

  it('says where a destination is paused for every name that clients try', () => {
    for (const name of ['pause', 'isPaused', 'is_paused', 'until', 'resume']) expect(() => parseLimits({ [name]: true }), name).to.throw(RequestError, `${name} is not set with the limits: POST /destinations/:key/pause`);
  });

  it('hands out the reason', () => {
    expect(parseLimits({ rate: 1, reason: 'too many 429' }).reason).to.equal('too many 429');
  });

  it('says that a burst needs a rate', () => {
    expect(() => parseLimits({ burst: 5 })).to.throw(RequestError, 'burst needs a rate');
  });

  it('refuses far too many keys as a whole', () => {
    const wide = Object.fromEntries(Array.from({ length: 125_000 }, (_, nth) => [`k${nth}`, 1]));
    expect(refusedFields(() => parseLimits(wide))).to.deep.equal(['']);
  });
});

describe('the end of a pause', () => {
  const NOW = Date.UTC(2026, 10, 28, 12);
  const times: readonly (readonly [value: unknown, until: number | undefined])[] = [
    [undefined, undefined],
    [null, undefined],
    ['2026-11-28T13:00:00Z', NOW + 3_600_000],
    ['2026-11-28t14:00:00.5+01:00', NOW + 3_600_500],
    ['+90s', NOW + 90_000],
    ['+30m', NOW + 1_800_000],
    ['+2h', NOW + 7_200_000],
    ['+1d', NOW + 86_400_000],
  ];
  for (const [value, until] of times) {
    it(`may be ${String(value)}`, () => {
      expect(parseUntil(value, NOW)).to.equal(until);
    });
  }

  for (const value of ['', 'tomorrow', '2026-11-28', '2026-11-28T13:00:00', '2026-11-28 13:00:00Z', '2026-02-30T13:00:00Z', '2026-11-28T25:00:00Z', '30m', '-30m', '+0m', '+1.5h', '+30 m', '+999999999d', '2026-11-28T11:59:59.999Z', '2026-11-28T12:00:00Z', '2020-01-01T00:00:00Z', 1_764_331_200_000, {}]) {
    it(`cannot be ${JSON.stringify(value)}`, () => {
      expect(refusedFields(() => parseUntil(value, NOW))).to.deep.equal(['until']);
    });
  }
});

describe('how many destinations are listed', () => {
  it('is 100, or what was asked for', () => {
    expect([undefined, '1', '1000', '007'].map(parseLimit)).to.deep.equal([100, 1, 1_000, 7]);
  });

  for (const query of ['0', '1001', '-1', '1.5', 'all', '', ['1', '2'], { a: '1' }]) {
    it(`cannot be ${JSON.stringify(query)}`, () => {
      expect(refusedFields(() => parseLimit(query))).to.deep.equal(['limit']);
    });
  }
});
