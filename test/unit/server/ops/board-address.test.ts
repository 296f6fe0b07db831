import { expect } from 'chai';
import fc from 'fast-check';

import { addressOfJob, jobInQuery, jobsAtAddress } from '../../../../server/ops/board-address.js';
import { askedJob } from '../../../../server/ops/asked-job.js';
import { jobIdOf } from '../../../../shared/queue/names.js';

describe('the address of a job on the board', () => {
  const table: readonly (readonly [part: string, jobs: readonly string[]])[] = [
    ['t-a%2Fb', ['t-a%2Fb', 't-t-a%2Fb']],
    ['order-1001', ['t-order-1001']],
    ['a%2Fb', ['t-a%2Fb']],
    ['t-a:b', ['t-a%3Ab', 't-t-a%3Ab']],
  ];
  for (const [part, jobs] of table) {
    it(`${part} may mean ${jobs.join(' or ')}`, () => {
      expect(jobsAtAddress(part, decodeURIComponent(part))).to.deep.equal(jobs);
    });
  }

  const taskId = fc.array(fc.constantFrom('%', '%25', '%2F', '%2f', '/', ':', ' ', '?', '#', '.', '|', '+', '&', "'", '2F', '25', 'a', 't-', 'ü', '🚚'), { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));

  it('can be loaded by the page, whatever the id, and leads to the same job again', () => {
    fc.assert(
      fc.property(taskId, (id) => {
        const jobId = jobIdOf(id);
        const address = addressOfJob('deliver-0', jobId, 'status=failed');
        const { pathname, search } = new URL(`http://127.0.0.1:8080/admin/queues${address}`);
        const part = pathname.split('/').at(-1) ?? '';
        // The page decodes twice, and asks for what comes out.
        const asked = decodeURIComponent(decodeURI(part));
        expect(askedJob(asked, `http://127.0.0.1:8080/admin/queues${address}`)).to.deep.equal({ kind: 'certain', jobId });
        expect(search).to.contain('status=failed');
        if (jobInQuery(part, search.slice(1)) === undefined) expect(jobsAtAddress(part, decodeURIComponent(part))[0]).to.equal(jobId);
      }),
      { numRuns: 1_000 },
    );
  });
});
