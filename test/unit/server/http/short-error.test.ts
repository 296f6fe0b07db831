import { expect } from 'chai';

import { answerToError } from '../../../../server/http/error-response.js';
import { MAX_VIOLATIONS, shortText, shortViolations } from '../../../../server/http/short-error.js';
import { RequestError } from '../../../../shared/domain/errors.js';

describe('shortViolations', () => {
  it('leaves short ones as they are', () => {
    const violations = [{ field: 'id', message: 'id is required' }];
    expect(shortViolations(violations)).to.deep.equal(violations);
  });

  it('cuts a long name in both places, and keeps what is wrong with it', () => {
    const field = `destination.headers.${'x'.repeat(6_000)}`;
    const [violation] = shortViolations([{ field, message: `${field} must be a string` }]);
    expect(violation?.field).to.match(/^destination\.headers\.x+\.\.\.$/);
    expect(violation?.message).to.equal(`${violation?.field} must be a string`);
  });

  it('reports the first of many', () => {
    const many = Array.from({ length: 1_000 }, (_, nth) => ({ field: `a${nth}`, message: `a${nth} is not allowed` }));
    expect(shortViolations(many)).to.deep.equal(many.slice(0, MAX_VIOLATIONS));
  });
});

describe('shortText', () => {
  it('cuts no character of two units in half', () => {
    expect(shortText('🚚🚚🚚🚚', 8)).to.equal('🚚🚚🚚🚚');
    expect(shortText('🚚🚚🚚🚚🚚', 8)).to.have.lengthOf(8);
    expect(shortText('🚚🚚🚚🚚🚚', 8).isWellFormed()).to.equal(true);
  });
});

describe('answerToError', () => {
  for (const character of ['\u0001', 'ü', '€', '🚚', '"']) {
    it(`has less than 64 KiB, however long the texts of ${JSON.stringify(character)} are`, () => {
      const long = character.repeat(100_000);
      const details = Array.from({ length: 1_000 }, () => ({ field: long, message: long }));
      const { body } = answerToError(new RequestError('invalid_task', long, details));
      expect(body.details).to.have.lengthOf(MAX_VIOLATIONS);
      expect(Buffer.byteLength(JSON.stringify(body))).to.be.below(65_536);
    });
  }
});
