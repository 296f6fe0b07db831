import { expect } from 'chai';
import fc from 'fast-check';

import { splitArray } from '../../../../server/tasks/batch-array.js';
import { RequestError } from '../../../../shared/domain/errors.js';

const split = (text: string, maxElements = 10): string[] => splitArray(Buffer.from(text), maxElements).map(String);

function codeOf(text: string, maxElements?: number): string {
  try {
    split(text, maxElements);
  } catch (error) {
    if (error instanceof RequestError) return error.code;
    throw error;
  }
  return 'none';
}

describe('splitArray', () => {
  const whole: readonly (readonly [text: string, elements: string[]])[] = [
    ['[]', []],
    [' [ ] \r\n', []],
    ['[1, {"a":[]}]', ['1', '{"a":[]}']],
    ['[{"a":"]"},{"b":"\\"],[\\\\"},"x,y"]', ['{"a":"]"}', '{"b":"\\"],[\\\\"}', '"x,y"']],
    ['[[1,[2]],{"a":{"b":[{}]}},null]', ['[1,[2]]', '{"a":{"b":[{}]}}', 'null']],
    ['["ü🚚"]', ['"ü🚚"']],
  ];
  for (const [text, elements] of whole) {
    it(`finds the elements of ${text.trim()}`, () => {
      expect(split(text).map((element) => element.trim())).to.deep.equal(elements);
    });
  }

  it('finds in every array the elements that JSON.parse finds', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 10 }), fc.constantFrom(0, 1, '\t'), (values, space) => {
        expect(split(JSON.stringify(values, null, space)).map((text) => JSON.parse(text) as unknown)).to.deep.equal(JSON.parse(JSON.stringify(values)));
      }),
    );
  });

  it('leaves an element that is no JSON to its reader', () => {
    expect(split('[{"a":}, 1 2, {"b":[1}x], {}]')).to.deep.equal(['{"a":}', '1 2', '{"b":[1}x]', '{}']);
  });

  for (const text of ['', ' ', '{}', '{"a":[1]}', 'null', '"[1]"', '[', '[1', '[1,', '[1,]', '[,1]', '[1,,2]', '[,]', '[1]]', '[1] x', '[1][2]', '[1}', '[{"a":1]', '["a]', '["a\\"]', '[1]\0', '\ufeff[1]']) {
    it(`refuses ${JSON.stringify(text)} as a whole`, () => {
      expect(codeOf(text)).to.equal('invalid_json');
    });
  }

  it('takes as many elements as it may, and none of an array that has one more', () => {
    expect(split('[1,2,3]', 3)).to.have.lengthOf(3);
    expect(codeOf('[1,2,3,4]', 3)).to.equal('too_large');
  });
});
