import { expect } from 'chai';
import fc from 'fast-check';

import { repeatedNameByStep } from '../../../../server/http/repeated-name.js';

describe('a name that stands twice in an object of JSON', () => {
  const found = (text: string): string | undefined => {
    JSON.parse(text);
    return [...repeatedNameByStep(Buffer.from(text))].find((name) => name !== undefined);
  };

  const table: readonly (readonly [text: string, name: string | undefined])[] = [
    ['{"dry_run":true,"dry_run":false}', 'dry_run'],
    ['{"dry_run" : true, "filter": {"q": "a"}, "dry_run"\n: true}', 'dry_run'],
    ['{"dry_run":true,"dry\\u005frun":true}', 'dry_run'],
    ['{"filter":{"q":"a","q":"b"}}', 'q'],
    ['[{"a":[{"b":1,"b":2}]}]', 'b'],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"":1,"":2}', ''],
    [`{"dry_run"${' '.repeat(100)}:true,"dry_run":false}`, 'dry_run'],
    ['{"a":{"b":1},"a":2}', 'a'],
    ['{"a":[1,"a",{"c":1}],"b":"a","c":2}', undefined],
    [`{"long":"${'\\"'.repeat(70_000)}","q":1,"q":2}`, 'q'],
    [`${'['.repeat(5_000)}${']'.repeat(5_000)}`, undefined],
    ['{"a":{"q":1},"b":{"q":2},"q":3}', undefined],
    ['{"a":"\\"a\\": \\\\","b":":::{\\"b\\":1}"}', undefined],
    ['{"a\\\\":1,"a":2}', undefined],
    ['["a:b","a:b"]', undefined],
    ['"a"', undefined],
    ['null', undefined],
  ];
  for (const [text, name] of table) {
    it(`${name === undefined ? 'is not seen' : 'is found'} in ${text.slice(0, 80)}`, () => { expect(found(text)).to.equal(name); });
  }

  it('is found in no text that was made of a value', () => {
    fc.assert(fc.property(fc.jsonValue(), fc.constantFrom(0, 1), (value, indent) => found(JSON.stringify(value, undefined, indent)) === undefined));
  });
});
