import { expect } from 'chai';

import { parseLimit, parseName, parsePolicy } from '../../../../server/flow/schema.js';
import { RequestError } from '../../../../shared/domain/errors.js';
import type { FlowPolicy } from '../../../../shared/domain/flow/flow-policy.js';

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
  const taken: readonly (readonly [body: string, policy: FlowPolicy | undefined])[] = [
    ['{}', undefined],
    ['{"paused":false}', undefined],
    ['{"paused":true}', { isPaused: true }],
    ['{"max_concurrency":1}', { maxConcurrency: 1 }],
    ['{"max_concurrency":100000}', { maxConcurrency: 100_000 }],
    ['{"rate":0.001}', { ratePerSecond: 0.001 }],
    ['{"rate":1000000,"burst":100000}', { ratePerSecond: 1_000_000, burst: 100_000 }],
    ['{"max_concurrency":10,"rate":2.5,"burst":1,"paused":true}', { maxConcurrency: 10, ratePerSecond: 2.5, burst: 1, isPaused: true }],
  ];
  for (const [body, policy] of taken) {
    it(`takes ${body}`, () => {
      expect(parsePolicy(JSON.parse(body))).to.deep.equal(policy);
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
    ['{"max_concurrency":null}', ['max_concurrency']],
    ['{"rate":0}', ['rate']],
    ['{"rate":0.0009}', ['rate']],
    ['{"rate":1000000.5}', ['rate']],
    ['{"rate":1,"burst":0}', ['burst']],
    ['{"rate":1,"burst":100001}', ['burst']],
    ['{"rate":1,"burst":1.5}', ['burst']],
    ['{"burst":5}', ['burst']],
    ['{"paused":"true"}', ['paused']],
    ['{"paused":1}', ['paused']],
    ['{"key":"a"}', ['key']],
    ['{"__proto__":{}}', ['__proto__']],
    ['{"max_concurrency":0,"rate":-1,"paused":"no","limit":3}', ['max_concurrency', 'rate', 'paused', 'limit']],
  ];
  for (const [body, fields] of refused) {
    it(`refuses ${body}, naming ${JSON.stringify(fields)}`, () => {
      expect(refusedFields(() => parsePolicy(JSON.parse(body)))).to.have.members(fields);
    });
  }

  it('says that a burst needs a rate', () => {
    expect(() => parsePolicy({ burst: 5 })).to.throw(RequestError, 'burst needs a rate');
  });

  it('refuses far too many keys as a whole', () => {
    const wide = Object.fromEntries(Array.from({ length: 125_000 }, (_, nth) => [`k${nth}`, 1]));
    expect(refusedFields(() => parsePolicy(wide))).to.deep.equal(['']);
  });
});

describe('the name of a destination', () => {
  const names: readonly (readonly [text: string, name: string])[] = [
    ['https://API.example.com/x?y#z', 'https://api.example.com/x'],
    ['HTTP://user:secret@example.com:80', 'http://example.com'],
    ['HTTP://user:secret@example.com:80/', 'http://example.com/'],
    ['http://127.0.0.1:8080/hook', 'http://127.0.0.1:8080/hook'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['kafka://default/orders', 'kafka://default/orders'],
    ['kafka://Broker-1:9092/Orders', 'kafka://broker-1:9092/Orders'],
    ['tenant 7/ä', 'tenant 7/ä'],
    ['http://', 'http://'],
    ['...', '...'],
    ['%2e', '%2e'],
    ['a/..', 'a/..'],
    ['https://API.example.com/..', 'https://api.example.com/'],
    ['https://API.example.com/Orders?token=1#x', 'https://api.example.com/Orders'],
    [' https://user:secret@API.example.com', 'https://api.example.com'],
    ['kafka://user:secret@Broker-1:9092/orders?token=1', 'kafka://broker-1:9092/orders'],
    ['🚚'.repeat(1_024), '🚚'.repeat(1_024)],
  ];
  for (const [text, name] of names) {
    it(`of ${text} is ${name}`, () => {
      expect(parseName(text)).to.equal(name);
    });
  }

  for (const text of ['.', '..', 'a\nb', '\u0000', '\ud800', 'x'.repeat(1_025), '🚚'.repeat(1_025), `https://example.com/${'x'.repeat(8_192)}`]) {
    it(`cannot be ${JSON.stringify(text.slice(0, 20))}, ${text.length} characters`, () => {
      expect(refusedFields(() => parseName(text))).to.deep.equal(['key']);
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
