import { expect } from 'chai';

import { editDistance } from '../../../../shared/domain/edit-distance.js';

describe('editDistance', () => {
  const cases: readonly (readonly [a: string, b: string, distance: number])[] = [
    ['', '', 0],
    ['abc', 'abc', 0],
    ['', 'abc', 3],
    ['abc', 'ab', 1],
    ['abc', 'abcd', 1],
    ['abc', 'axc', 1],
    ['HTTP_PROT', 'HTTP_PORT', 1],
    ['ab', 'ba', 1],
    ['kitten', 'sitting', 3],
  ];
  for (const [a, b, distance] of cases) {
    it(`is ${distance} between ${JSON.stringify(a)} and ${JSON.stringify(b)}, either way`, () => {
      expect([editDistance(a, b), editDistance(b, a)]).to.deep.equal([distance, distance]);
    });
  }
});
