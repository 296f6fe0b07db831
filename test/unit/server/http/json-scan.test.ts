import { expect } from 'chai';
import fc from 'fast-check';

import { checkJsonDepth, checkJsonShape, JsonScan, MAX_JSON_DEPTH, MAX_STRUCTURAL_CHARACTERS } from '../../../../server/http/json-scan.js';
import { RequestError } from '../../../../shared/domain/errors.js';

/** `taken`, or the code and the text of the refusal. */
function verdict(text: string): string {
  return verdictOf(() => checkJsonShape(Buffer.from(text), { name: 'the body', code: 'invalid_task' }));
}

function verdictOf(check: () => void): string {
  try {
    check();
  } catch (error) {
    if (error instanceof RequestError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'taken';
}

const TOO_DEEP = `invalid_task: the body is nested deeper than ${MAX_JSON_DEPTH} levels: it was not parsed`;
const TOO_MANY = `invalid_task: the body has more than ${MAX_STRUCTURAL_CHARACTERS} of the characters [ ] { } , : outside strings: it was not parsed`;
/** It makes a text long enough to be looked at, and adds nothing to its shape. */
const filler = JSON.stringify('x'.repeat(MAX_STRUCTURAL_CHARACTERS));
const nested = (levels: number): string => `${'['.repeat(levels)}${filler}${']'.repeat(levels)}`;
/** A list of empty objects, with `brackets` and commas: 2 + 2n + (n - 1) characters. */
const list = (elements: number): string => `[${Array.from({ length: elements }, () => '{}').join(',')}]`;

describe('checkJsonShape', () => {
  const cases: readonly (readonly [name: string, text: string, expected: string])[] = [
    [`${MAX_JSON_DEPTH} levels`, nested(MAX_JSON_DEPTH), 'taken'],
    [`${MAX_JSON_DEPTH + 1} levels`, nested(MAX_JSON_DEPTH + 1), TOO_DEEP],
    [`${MAX_JSON_DEPTH + 1} levels of objects`, `${'{"a":'.repeat(MAX_JSON_DEPTH + 1)}${filler}${'}'.repeat(MAX_JSON_DEPTH + 1)}`, TOO_DEEP],
    ['6 MiB of brackets', '['.repeat(6 * 1_048_576), TOO_DEEP],
    ['as many structural characters as there may be', list(3_333), 'taken'],
    ['some more of them', list(3_334), TOO_MANY],
    ['the same characters inside a string', JSON.stringify('[]{},:'.repeat(10_000)), 'taken'],
    ['quotes and backslashes inside a string', JSON.stringify('\\"[{'.repeat(10_000)), 'taken'],
    ['a string that does not end', `"${'[{,:'.repeat(10_000)}`, 'taken'],
    ['brackets behind a value that has ended', `1,${'['.repeat(100_000)}`, 'taken'],
    ['a bracket too many', `]${'['.repeat(100_000)}`, 'taken'],
    ['colons without an object', ':'.repeat(20_000), TOO_MANY],
  ];
  for (const [name, text, expected] of cases) {
    it(`${expected === 'taken' ? 'takes' : 'refuses'} ${name}`, () => {
      expect(verdict(text)).to.equal(expected);
    });
  }
});

describe('checkJsonDepth', () => {
  for (const [open, close] of [['[', ']'], ['{"a":', '}'], ['[{"a":', '}]']] as const) {
    it(`has the same rule for a value of ${open} as checkJsonShape has for its text`, () => {
      const perPart = open.length === 6 && open.startsWith('[') ? 2 : 1;
      for (const [levels, expected] of [[MAX_JSON_DEPTH, 'taken'], [MAX_JSON_DEPTH + perPart, TOO_DEEP], [1_000, TOO_DEEP]] as const) {
        const parts = levels / perPart;
        const value: unknown = JSON.parse(`${open.repeat(parts)}1${close.repeat(parts)}`);
        expect(verdictOf(() => checkJsonDepth(value, { name: 'the body', code: 'invalid_task' })), String(levels)).to.equal(expected);
        expect(verdict(`${open.repeat(parts)}${filler}${close.repeat(parts)}`), String(levels)).to.equal(expected);
      }
    });
  }
});

describe('JsonScan', () => {
  it('finds the same end and the same complaint, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (value, steps) => {
        const text = Buffer.from(`${JSON.stringify(value)},behind`);
        const scan = new JsonScan();
        let at = 0;
        let to = 0;
        for (let nth = 0; at >= to && at < text.length; nth += 1) {
          to = Math.min(at + (steps[nth % steps.length] ?? 1), text.length);
          at = scan.advance(text, at, to);
        }
        expect(text.subarray(0, at).toString()).to.equal(JSON.stringify(value));
        expect(scan.complaint).to.equal(undefined);
      }),
    );
  });

  it('goes on behind an escape that the end of a step has cut in two', () => {
    const text = Buffer.from('"a\\"b",');
    for (let cut = 1; cut < text.length; cut += 1) {
      const scan = new JsonScan();
      let at = scan.advance(text, 0, cut);
      if (at >= cut) at = scan.advance(text, at, text.length);
      expect(at, `cut at ${cut}`).to.equal(6);
    }
  });
});
