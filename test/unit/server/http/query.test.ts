import { expect } from 'chai';

import { parseQuery } from '../../../../server/http/query.js';
import { RequestError } from '../../../../shared/domain/errors.js';

/** The refusal of a query: its text and the fields that it names. */
function refusalOf(search: string, known: readonly string[]): { message: string; fields: string[] } {
  try {
    parseQuery(search, known);
  } catch (error) {
    if (error instanceof RequestError && error.code === 'invalid_request') return { message: error.message, fields: error.details?.map(({ field }) => field) ?? [] };
    throw error;
  }
  throw new Error(`${search} was taken`);
}

describe('parseQuery', () => {
  it('reads known parameters, decoded', () => {
    expect([...parseQuery('limit=10&cursor=a%2Bb+c&flag', ['limit', 'cursor', 'flag'])]).to.deep.equal([['limit', '10'], ['cursor', 'a+b c'], ['flag', '']]);
  });

  const table: readonly (readonly [search: string, known: readonly string[], message: string, fields: readonly string[]])[] = [
    ['inlcude=x', ['include', 'limit'], 'the parameter "inlcude" is not known here: did you mean include?', ['inlcude']],
    ['status=parked', ['state', 'http_status'], 'the parameter "status" is not known here: did you mean state?', ['status']],
    ['status=x', ['http_status'], 'the parameter "status" is not known here: did you mean http_status?', ['status']],
    ['Limit=1', ['limit'], 'the parameter "Limit" is not known here: did you mean limit?', ['Limit']],
    ['zzzzzz=1', ['include', 'limit'], 'the parameter "zzzzzz" is not known here; known: include, limit', ['zzzzzz']],
    ['x=1', [], 'the parameter "x" is not known here: none is taken', ['x']],
    ['limit=1&limit=1', ['limit'], 'the parameter "limit" stands there twice', ['limit']],
    ['__proto__=1', ['limit'], 'the parameter "__proto__" is not known here; known: limit', ['__proto__']],
    ['limit=%ff', ['limit'], 'the parameter "limit" is not valid percent-encoding of UTF-8: write %25 for a percent sign', ['limit']],
    ['cursor=a&limit=5%', ['limit', 'cursor'], 'the parameter "limit" is not valid percent-encoding of UTF-8: write %25 for a percent sign', ['limit']],
    ['limit=%ED%A0%80', ['limit'], 'the parameter "limit" is not valid percent-encoding of UTF-8: write %25 for a percent sign', ['limit']],
    ['a=1&limit=2&b=3', ['limit'], 'the parameter "a" is not known here; known: limit; the parameter "b" is not known here; known: limit', ['a', 'b']],
  ];
  for (const [search, known, message, fields] of table) {
    it(`refuses ${search}`, () => {
      expect(refusalOf(search, known)).to.deep.equal({ message, fields });
    });
  }

  it('says the first ten of very many faults, and the beginning of very long names', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => `p${index}=1`).join('&');
    expect(refusalOf(many, ['limit']).fields).to.have.lengthOf(10);
    expect(refusalOf('x'.repeat(10_000), ['limit']).fields).to.deep.equal(['x'.repeat(100)]);
  });
});
