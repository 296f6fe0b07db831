import { expect } from 'chai';
import fc from 'fast-check';

import { parseQuery } from '../../../../../shared/domain/search/filter.js';
import { matchesMessage } from '../../../../../shared/queue/search/message-values.js';

const finds = (q: string, message: string): boolean => matchesMessage(message, parseQuery(q));

describe('conditions on messages', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['data.a:1', '{"a":1}', true],
    ['data.a:1', '{"a":"1"}', true],
    ['data.a:1', '{"a":1.0}', false],
    ['data.a:1.0', '{ "a" : 1.0 }', true],
    ['data.a:1e3', '{"a":1e3}', true],
    ['data.a:1000', '{"a":1e3}', false],
    ['data.a:-0', '{"a":-0}', true],
    ['data.a:12345678901234567891', '{"a":12345678901234567891}', true],
    ['data.a:12345678901234567892', '{"a":12345678901234567891}', false],
    ['data.a:1234*', '{"a":12345678901234567891}', true],
    ['data.a:true', '{"a":true}', true],
    ['data.a:null', '{"a":null}', true],
    ['data.a:*', '{"a":null}', true],
    ['data.a:*', '{"b":1}', false],
    ['-data.a:*', '{"b":1}', true],
    ['data.a:*', '{"a":{}}', true],
    ['data.a:"{}"', '{"a":{}}', false],
    ['data.a.b:1', '{"a":{"b":2},"a":{"x":[{}],"b":1}}', true],
    ['data.1.0:7', '[[5],[7]]', true],
    ['data.01:7', '[5,7]', false],
    ['data.length:2', '[5,7]', false],
    ['data."é":1', String.raw`{"\u00e9":1}`, true],
    ['data.a:"é"', String.raw`{"a":"\u00e9"}`, true],
    ['data.__proto__:1', '{"__proto__":1}', true],
    ['data.toString:*', '{}', false],
    ['data.a:1 data.b:2', '{"a":1,"b":3}', false],
    ['data.a:1,3 -data.b:2', '{"a":3,"b":3}', true],
    ['data.a:1', 'a 1', false],
    ['-data.a:1', 'a 1', false],
  ];
  for (const [q, message, expected] of cases) it(`${q} ${expected ? 'finds' : 'does not find'} ${message}`, () => { expect(finds(q, message)).to.equal(expected); });

  it('find each number of a message by its own digits', () => {
    const leaf = fc.oneof(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String), fc.double({ noNaN: true, noDefaultInfinity: true }).map((each) => JSON.stringify(each)));
    const key = fc.string({ unit: 'grapheme', maxLength: 5 }).filter((each) => each.isWellFormed());
    const nested = fc.tuple(fc.array(fc.tuple(key, fc.jsonValue()), { maxLength: 3 }), key, leaf, fc.boolean());
    fc.assert(
      fc.property(nested, ([others, name, digits, isInArray]) => {
        const members = others.filter(([each]) => each !== name).map(([each, value]) => `${JSON.stringify(each)} : ${JSON.stringify(value)}`);
        const object = `{${[...members, `${JSON.stringify(name)}:\n${digits}`].join(' , ')}}`;
        const condition = { field: 'data', isNegated: false, values: [{ kind: 'text', text: digits }] } as const;
        const message = isInArray ? `[ [1,"]"], ${object} ]` : object;
        expect(matchesMessage(message, [{ ...condition, path: isInArray ? ['1', name] : [name] }])).to.equal(true);
        expect(matchesMessage(message, [{ ...condition, path: isInArray ? ['1', name] : [name], values: [{ kind: 'text', text: `${digits}1` }] }])).to.equal(false);
      }),
    );
  });
});
