import { expect } from 'chai';

import { isFailing, type FirstSend } from '../../../../../shared/domain/bulk-actions/first-sends.js';

const sends = (from: number, count: number, isDelivered: boolean): FirstSend[] => Array.from({ length: count }, (_, nth) => ({ at: from + nth, isDelivered }));

describe('whether a bulk action pauses itself', () => {
  const cases: [name: string, found: readonly FirstSend[], resumedAt: number, expected: boolean][] = [
    ['nine that failed are too few', sends(1, 9, false), 0, false],
    ['ten that failed are enough', sends(1, 10, false), 0, true],
    ['half of them is not more than half', [...sends(1, 5, false), ...sends(10, 5, true)], 0, false],
    ['more than half of fewer than 50', [...sends(1, 6, false), ...sends(10, 5, true)], 0, true],
    ['only the newest 50 count', [...sends(1, 60, false), ...sends(100, 50, true)], 0, false],
    ['those that failed before it was resumed do not count', [...sends(1, 50, false), ...sends(100, 10, true)], 60, false],
    ['one late failure after a resume does not pause it again', [...sends(1, 50, false), ...sends(100, 1, false)], 60, false],
  ];
  for (const [name, found, resumedAt, expected] of cases) {
    it(name, () => {
      expect(isFailing(found, resumedAt)).to.equal(expected);
      expect(isFailing([...found].reverse(), resumedAt), 'in any order').to.equal(expected);
    });
  }
});
