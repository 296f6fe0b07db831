import { expect } from 'chai';
import fc from 'fast-check';

import { headerValue } from '../../../../../workers/adapters/http/header-value.js';

/** What stands on the wire when undici writes the value: one byte for each character. */
const onTheWire = (text: string): string => Buffer.from(headerValue(text), 'latin1').toString('utf8');

describe('headerValue', () => {
  const cases: readonly (readonly [text: string, wire: string])[] = [
    ['', ''],
    ['a', 'a'],
    ['order 1|0', 'order 1|0'],
    ['100%25 %zz "x" \\', '100%25 %zz "x" \\'],
    ['Zürich', 'Zürich'],
    ['注文🚚', '注文🚚'],
    ['a\nb', 'a%0Ab'],
    ['a\r\nX-Evil: 1', 'a%0D%0AX-Evil: 1'],
    ['a\tb', 'a%09b'],
    ['\u0000\u001f\u007f', '%00%1F%7F'],
    [' a b ', '%20a b%20'],
    ['  ', '%20%20'],
    ['\u0085a\u2028', '\u0085a\u2028'],
    ['a\ud83d', 'a\ufffd'],
  ];
  for (const [text, wire] of cases) {
    it(`writes ${JSON.stringify(text)} as ${JSON.stringify(wire)}`, () => {
      expect(onTheWire(text)).to.equal(wire);
    });
  }

  it('makes characters of one byte: Zürich -> ZÃ¼rich', () => {
    expect(headerValue('Zürich')).to.equal('ZÃ¼rich');
  });

  it('is legal for any text, and loses none without control characters and outer spaces', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(headerValue(text)).to.match(/^(?:[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/);
      // eslint-disable-next-line no-control-regex -- control characters are what this is about
      if (!/[\x00-\x1f\x7f]|^ | $/.test(text)) expect(onTheWire(text)).to.equal(text);
    }));
  });
});
