import { expect } from 'chai';
import fc from 'fast-check';

import { maxBatchesInFlight, nextBatchLength } from '../../../../../workers/adapters/kafka/batch-rule.js';

const limits = { maxBatchBytes: 100, maxBatchMessages: 3 };
const messages = (...sizes: number[]) => sizes.map((bytes) => ({ bytes }));

const table: readonly (readonly [sizes: number[], inFlight: number, length: number, why: string])[] = [
  [[], 0, 0, 'nothing waits'],
  [[1], 0, 1, 'a lone message never waits for company'],
  [[40, 40], 0, 2, 'what is there goes together'],
  [[40, 40, 40], 0, 2, 'the third would exceed the bytes'],
  [[50, 50], 0, 2, 'exactly full'],
  [[50, 51], 0, 1, 'one byte too many'],
  [[10, 10, 10, 10], 0, 3, 'the fourth would exceed the number'],
  [[400], 0, 1, 'one that is larger than the limit goes alone'],
  [[400, 1], 0, 1, 'and takes no other message with it'],
  [[1, 400], 0, 1, 'nor is it taken along'],
  [[40, 40], 1, 0, 'a partial batch waits for the one on its way'],
  [[40, 40, 40], 1, 2, 'a full one does not: more wait than fit in'],
  [[100], 1, 1, 'a full one does not: bytes reached'],
  [[1, 1, 1], 1, 3, 'a full one does not: number reached'],
  [[400], 1, 1, 'a message of its own batch does not wait'],
  [[40, 40, 40], maxBatchesInFlight - 1, 2, 'the last place'],
  [[40, 40, 40], maxBatchesInFlight, 0, 'no place left'],
];

describe('nextBatchLength', () => {
  for (const [sizes, inFlight, length, why] of table) {
    it(`takes ${length} of [${sizes.join(', ')}] with ${inFlight} on their way: ${why}`, () => {
      expect(nextBatchLength(messages(...sizes), inFlight, limits)).to.equal(length);
    });
  }

  it('never exceeds a limit but for a message alone, and leaves no message behind for ever', () => {
    fc.assert(fc.property(fc.array(fc.nat(150), { minLength: 1, maxLength: 20 }), fc.nat(maxBatchesInFlight), (sizes, inFlight) => {
      const length = nextBatchLength(messages(...sizes), inFlight, limits);
      const bytes = sizes.slice(0, length).reduce((sum, size) => sum + size, 0);
      expect(length).to.be.within(0, limits.maxBatchMessages);
      if (length > 1) expect(bytes).to.be.at.most(limits.maxBatchBytes);
      if (inFlight === 0) expect(length).to.be.at.least(1);
    }));
  });
});
