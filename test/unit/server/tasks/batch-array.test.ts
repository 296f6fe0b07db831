import { expect } from 'chai';
import fc from 'fast-check';

import { WorkTurns } from '../../../../server/http/work-turns.js';
import { splitArray } from '../../../../server/tasks/batch-array.js';
import { RequestError } from '../../../../shared/domain/errors.js';

const MAX_ELEMENT_BYTES = 300_000;

/** The texts of the elements, or the codes of those that are refused. */
async function split(text: string, maxElements = 10): Promise<string[]> {
  const elements = await splitArray(Buffer.from(text), { maxElements, maxElementBytes: MAX_ELEMENT_BYTES }, new WorkTurns());
  return elements.map((element) => (element instanceof RequestError ? element.code : element.toString()));
}

async function codeOf(text: string, maxElements?: number): Promise<string> {
  try {
    await split(text, maxElements);
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
    it(`finds the elements of ${text.trim()}`, async () => {
      expect((await split(text)).map((element) => element.trim())).to.deep.equal(elements);
    });
  }

  it('finds in every array the elements that JSON.parse finds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 10 }), fc.constantFrom(0, 1, '\t'), async (values, space) => {
        const texts = await split(JSON.stringify(values, null, space));
        expect(texts.map((text) => JSON.parse(text) as unknown)).to.deep.equal(JSON.parse(JSON.stringify(values)));
      }),
    );
  });

  it('finds the elements of an array that is read in many steps, whatever stands where a step ends', async () => {
    // A step ends every 65,536 bytes: the characters around that place move by one with each of these.
    for (let shift = 0; shift < 12; shift += 1) {
      const long = JSON.stringify(`${'x'.repeat(65_520 + shift)}\\"],{${'y'.repeat(70_000)}`);
      const spaces = ' '.repeat(65_530 + shift);
      const elements = [long, `{"a":${long}}`, '1', long];
      expect((await split(`${spaces}[${spaces}${elements.join(`,${spaces}`)}${spaces}]${spaces}`)).map((text) => text.trim())).to.deep.equal(elements);
      expect(await codeOf(`${spaces}[${spaces}${elements.join(`,${spaces}`)}${spaces}`)).to.equal('invalid_json');
    }
  });

  it('leaves an element that is no JSON to its reader', async () => {
    expect(await split('[{"a":}, 1 2, {"b":[1}x], {}]')).to.deep.equal(['{"a":}', '1 2', '{"b":[1}x]', '{}']);
  });

  for (const text of ['', ' ', '{}', '{"a":[1]}', 'null', '"[1]"', '[', '[1', '[1,', '[1,]', '[,1]', '[1,,2]', '[,]', '[1]]', '[1] x', '[1][2]', '[1}', '[{"a":1]', '["a]', '["a\\"]', '["a\\', '[1]\0', '\ufeff[1]']) {
    it(`refuses ${JSON.stringify(text)} as a whole`, async () => {
      expect(await codeOf(text)).to.equal('invalid_json');
    });
  }

  it('takes as many elements as it may, and none of an array that has one more', async () => {
    expect(await split('[1,2,3]', 3)).to.have.lengthOf(3);
    expect(await codeOf('[1,2,3,4]', 3)).to.equal('too_large');
  });

  it('refuses an element that is too large, too deep or too wide, and leaves the others', async () => {
    const large = JSON.stringify('x'.repeat(MAX_ELEMENT_BYTES));
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    const wide = `[${Array.from({ length: 10_000 }, () => 1).join(',')}]`;
    expect(await split(`[1,${[large, deep, wide, '{}'].join(',')}]`)).to.deep.equal(['1', 'too_large', 'invalid_task', 'invalid_task', '{}']);
  });
});
