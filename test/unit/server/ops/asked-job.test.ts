import { expect } from 'chai';
import fc from 'fast-check';

import { askedJob } from '../../../../server/ops/asked-job.js';
import { jobIdOf } from '../../../../shared/queue/names.js';

const pageOf = (jobId: string): string => `http://127.0.0.1:8080/admin/queues/queue/deliver-0/${jobId}`;

/** What the page of a job asks for when it was opened from the list, and when it was loaded by its address. */
function askedByPage(jobId: string): readonly string[] {
  return [jobId, decodeURI(jobId)].flatMap((address) => {
    try {
      return [decodeURIComponent(address)];
    } catch {
      return []; // the page itself cannot go on
    }
  });
}

describe('askedJob', () => {
  const table: readonly (readonly [asked: string, page: string | undefined, meant: readonly string[]])[] = [
    ['t-order-1', undefined, ['t-order-1']],
    ['t-order-1', pageOf('t-order-1'), ['t-order-1']],
    ['t-z%2Fb', pageOf('t-z%2Fb'), ['t-z%2Fb']],
    ['t-z/b', pageOf('t-z%2Fb'), ['t-z%2Fb']],
    ['t-z%2Fb', pageOf('t-z%252Fb'), ['t-z%252Fb']],
    ['t-z/b', pageOf('t-z%252Fb'), ['t-z%252Fb']],
    ['t-z/b', `${pageOf('t-z%252Fb')}/?x=1#y`, ['t-z%252Fb']],
    ['t-z/b', undefined, ['t-z%2Fb', 't-z%252Fb']],
    ['t-z%2Fb', undefined, ['t-z%2Fb', 't-z%252Fb', 't-z%25252Fb']],
    ['t-z/b', pageOf('t-other'), ['t-z%2Fb', 't-z%252Fb']],
    ['t-z/b', pageOf('t-z%2fb'), ['t-z%2Fb', 't-z%252Fb']],
    ['t-z/b', 'http://127.0.0.1:8080/admin/queues/queue/deliver-0?status=failed', ['t-z%2Fb', 't-z%252Fb']],
    ['t-z/b', 'no address', ['t-z%2Fb', 't-z%252Fb']],
    ['metrics', undefined, ['t-metrics']],
  ];
  for (const [asked, page, meant] of table) {
    it(`takes ${asked} ${page === undefined ? '' : `on ${page} `}for ${meant.join(' or ')}`, () => {
      const found = askedJob(asked, page);
      expect(found.kind === 'certain' ? [found.jobId] : found.jobIds).to.deep.equal(meant);
    });
  }

  it('knows the task that has the very id that was asked for, where no other is meant', () => {
    expect(askedJob('t-1', undefined)).to.deep.equal({ kind: 'one_of', jobIds: ['t-1'], orElse: 't-t-1' });
    expect(askedJob('t-a/b', undefined)).to.include({ orElse: 't-t-a%2Fb' });
  });

  const taskId = fc.array(fc.constantFrom('%', '%25', '%2F', '%2f', '/', ':', ' ', '?', '#', '.', '..', '|', '+', '&', "'", '(', '2F', '25', 'a', 'ü', '🚚', '\u202e'), { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));

  it('gives each page its own job, whatever the id', () => {
    fc.assert(
      fc.property(taskId, (id) => {
        const jobId = jobIdOf(id);
        for (const asked of askedByPage(jobId)) expect(askedJob(asked, pageOf(jobId)), asked).to.deep.equal({ kind: 'certain', jobId });
      }),
      { numRuns: 2_000 },
    );
  });

  it('is not certain of another job where the page does not say which it is', () => {
    fc.assert(
      fc.property(taskId, (id) => {
        // The likeliest to be mistaken for each other.
        const jobIds = [id, encodeURIComponent(id), encodeURIComponent(encodeURIComponent(id))].map(jobIdOf);
        for (const jobId of jobIds) {
          for (const asked of [jobId, decodeURIComponent(jobId)]) {
            const found = askedJob(asked, undefined);
            expect(found.kind === 'certain' ? [found.jobId] : found.jobIds, asked).to.include(jobId);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
