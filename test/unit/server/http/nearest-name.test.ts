import { expect } from 'chai';

import { nearestName } from '../../../../server/http/nearest-name.js';

describe('nearestName', () => {
  const known = ['include', 'limit', 'destination_key', 'by', 'q'];
  const table: readonly (readonly [name: string, nearest: string | undefined])[] = [
    ['inlcude', 'include'],
    ['INCLUDE', 'include'],
    ['limits', 'limit'],
    ['destinationkey', 'destination_key'],
    ['destination', 'destination_key'],
    ['verbose', undefined],
    ['x', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ];
  for (const [name, nearest] of table) {
    it(`finds ${nearest ?? 'nothing'} for ${JSON.stringify(name.slice(0, 20))}`, () => {
      expect(nearestName(name, known)).to.equal(nearest);
    });
  }
});
