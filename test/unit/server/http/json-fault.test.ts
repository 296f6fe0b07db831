import { expect } from 'chai';
import fc from 'fast-check';

import { findJsonFault, findJsonFaultInTurns } from '../../../../server/http/json-fault.js';
import { WorkTurns } from '../../../../server/http/work-turns.js';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('findJsonFault', () => {
  const table: readonly (readonly [text: string, offset: number, complaint: string])[] = [
    ['', 0, 'there is no value in it'],
    ['  ', 2, 'there is no value in it'],
    ['{"a":1', 6, 'it ends too early: } is missing'],
    ['[1,', 3, 'it ends too early: ] is missing'],
    ['{"a":', 5, 'it ends too early: a value is missing'],
    ['{"a"', 4, 'it ends too early: } is missing'],
    ['{"a":"b', 7, 'it ends inside a text: " is missing'],
    ['[-', 2, 'it ends inside a number'],
    ['{"a":1}x', 7, 'something stands behind the value, where the text should end'],
    ['{"a":1}{"b":2}', 7, 'something stands behind the value, where the text should end'],
    ['{"a":1,}', 7, 'there is a comma too many before }'],
    ['[1,]', 3, 'there is a comma too many before ]'],
    ['{"a":1 "b":2}', 7, 'a comma or } is missing here'],
    ['[1 2]', 3, 'a comma or ] is missing here'],
    ['{"a" 1}', 5, 'a colon is missing behind the name'],
    ['{"a":}', 5, 'a value is missing here'],
    ['{"a":,}', 5, 'a value is missing before this comma'],
    ["{'a':1}", 1, 'JSON has double quotes only'],
    ['{id:1}', 1, 'a name must stand in double quotes (a shell removes them unless the whole stands in single ones)'],
    ['{"a":1,b:2}', 7, 'a name must stand in double quotes'],
    ['{"a":b}', 5, 'a text must stand in double quotes'],
    ['{"a":True}', 5, 'True is no value of JSON: write true'],
    ['[None]', 1, 'None is no value of JSON: write null'],
    ['NaN', 0, 'NaN is no value of JSON: write null'],
    ['[nulll]', 1, 'a text must stand in double quotes'],
    ['[01]', 2, 'a number must not begin with 0'],
    ['[1.]', 3, 'a digit is missing here'],
    ['[+1]', 1, 'a number must begin with a digit or with -'],
    ['{"a":"\n"}', 6, 'a line break inside a text must be written as \\n'],
    ['{"a":"\t"}', 6, 'a tab inside a text must be written as \\t'],
    ['"\u0001"', 1, 'a control character inside a text must be written as \\u0001'],
    ['"\\x"', 2, 'this backslash begins no escape of JSON: write \\\\ for a backslash'],
    ['"\\u12"', 5, '\\u must be followed by four hexadecimal digits'],
    ['[1] // done', 4, 'something stands behind the value, where the text should end'],
    ['{// done\n}', 1, 'JSON has no comments'],
    ['\ufeff{}', 0, 'leave out the byte order mark'],
    ['{\u201cid\u201d:1}', 1, 'JSON has straight double quotes only'],
    ['{"id":\u2018a\u2019}', 6, 'JSON has straight double quotes only'],
    ['{"id":{{id}}}', 7, 'a name in double quotes is expected here, or a {{...}} was not filled in'],
    ['{"id":${ID}}', 6, 'a ${...} was not filled in'],
    ['${BODY}', 0, 'a ${...} was not filled in'],
    ['[object Object]', 1, 'an object was turned into text: JSON.stringify it'],
    ['id=a&source=b', 0, 'the body of a form is no JSON'],
    ['{"ä🚚":1,}', 12, 'there is a comma too many before }'],
  ];
  for (const [text, offset, complaint] of table) {
    it(`says of ${JSON.stringify(text)}: ${complaint}`, () => {
      expect(findJsonFault(Buffer.from(text))).to.deep.equal({ offset, complaint });
    });
  }

  /** Texts that are nearly JSON. */
  const nearlyJson = fc
    .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', 'e', '.', 't', ' ', '\n', "'", 'null', 'ü'), fc.boolean())
    .map(([json, seed, inserted, isReplaced]) => {
      const at = seed % (json.length + 1);
      return json.slice(0, at) + inserted + json.slice(at + (isReplaced ? 1 : 0));
    });

  it('finds a fault where JSON.parse finds one, and none where it does not', () => {
    fc.assert(
      fc.property(nearlyJson, (text) => {
        if (!text.isWellFormed()) return;
        expect(findJsonFault(Buffer.from(text)) === undefined).to.equal(isJson(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('names the first byte that is wrong: what stands before it can become JSON, and with it nothing can', () => {
    const endings = ['', '"', '}', ']', '0', '"}', ':0}', '"":0}', '0}', '0]', '"]', '":0}', 'u0000"', '0000"', '000"', '00"', '0"', '\\"', 'rue', 'ull', 'alse'];
    const canGoOn = (text: string): boolean => [...endings, ...endings.map((ending) => `${ending}}`), ...endings.map((ending) => `${ending}]`)].some((ending) => isJson(text + ending));
    for (const [text, offset] of table) {
      const bytes = Buffer.from(text);
      if (offset === bytes.length || text.startsWith('\ufeff')) continue;
      expect(canGoOn(bytes.toString('utf8', 0, offset)), text).to.equal(true);
      // A word counts as a whole, so only the rest of it shows that it is none.
      if (!/[A-Za-z]/.test(text[offset] ?? '')) expect(canGoOn(bytes.toString('latin1', 0, offset + 1)), text).to.equal(false);
    }
  });

  it('finds the same fault in a long text that is read in steps, wherever they end', async () => {
    for (let shift = 0; shift < 12; shift += 1) {
      const filler = 'x'.repeat(65_510 + shift);
      for (const broken of ['","\\u00e4":tru}', '\\q"}', '","a":[1.5e-7,{"b":null}],}', '"']) {
        const bytes = Buffer.from(`{"long":"${filler}${broken}`);
        const found = findJsonFault(bytes);
        expect(found).to.not.equal(undefined);
        expect(await findJsonFaultInTurns(bytes, new WorkTurns())).to.deep.equal(found);
      }
    }
  });

  it('gives up a text of nothing but brackets early', () => {
    expect(findJsonFault(Buffer.alloc(4 * 1_048_576, '['))).to.deep.equal({ offset: 10_000, complaint: 'it is nested too deep' });
  });
});
