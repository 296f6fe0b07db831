import { expect } from 'chai';
import fc from 'fast-check';

import { oneLine } from '../../../../../workers/adapters/http/one-line.js';

describe('oneLine', () => {
  const cases: readonly (readonly [text: string, line: string])[] = [
    ['', ''],
    ['ok', 'ok'],
    [' a\r\n\tb  c\n', 'a b c'],
    ['a\u0000\u001b[31mb\u007f', 'a [31mb'],
    ['a\u2028b\u2029c\u0085d', 'a b c d'],
    ['a\u202eb', 'a b'],
    ['1234567890', '1234567890'],
    ['1234567890x', '123456789…'],
    ['12345678🚚x', '12345678…'],
    ['1234567🚚xx', '1234567🚚…'],
    ['a\ud83db', 'a b'],
  ];
  for (const [text, line] of cases) {
    it(`makes ${JSON.stringify(line)} of ${JSON.stringify(text)}`, () => {
      expect(oneLine(text, 10)).to.equal(line);
    });
  }

  it('is short, on one line and well-formed for any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 50 }), (text, maxLength) => {
      const line = oneLine(text, maxLength);
      expect(line.length).to.be.at.most(maxLength);
      expect(line).to.not.match(/\p{C}|\p{Zl}|\p{Zp}/u);
    }));
  });
});
