import { expect } from 'chai';

import { didYouMeanWord } from '../../../../client/cli/nearest-word.js';

describe('the nearest word', () => {
  const cases: readonly (readonly [typed: string, expected: string])[] = [
    ['lsit', ': did you mean list?'],
    ['lst', ': did you mean list?'],
    ['cancle', ': did you mean cancel?'],
    ['x', ''],
    ['nothing-near', ''],
    ['z'.repeat(200), ''],
    ['z'.repeat(1_000_000), ''],
  ];
  for (const [typed, expected] of cases) {
    it(`to ${typed.slice(0, 20)} (${typed.length} characters) is ${expected === '' ? 'none' : expected.slice(15, -1)}`, () => {
      expect(didYouMeanWord(typed, ['list', 'cancel', 'export'])).to.equal(expected);
    });
  }
});
