import { expect } from 'chai';

import { backoffStrategy } from '../../../../../shared/queue/engine/job-ends.js';

// What becomes of each outcome is seen in test/integration/workers/delivery/delivery-worker.test.ts, on real jobs.
describe('backoffStrategy', () => {
  for (const [name, error] of [['an error that is not ours', new Error('from BullMQ')], ['no error at all', undefined]] as const) {
    it(`waits a whole finite number of milliseconds for ${name}: anything else would bring BullMQ to lose or freeze the job`, () => {
      const delay = backoffStrategy(1, undefined, error);
      expect(Number.isSafeInteger(delay)).to.equal(true);
      expect(delay).to.equal(5_000);
    });
  }
});
