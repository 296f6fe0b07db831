import { expect } from 'chai';

import { FailureCounter } from '../../../../../shared/domain/stats/failure-counter.js';
import { addCounts, groupOf, largestGroups, MAX_GROUPS, reasonOf, REST, type FailureCounts } from '../../../../../shared/domain/stats/failure-groups.js';

const counts = (retry: number, firstAt: number, lastAt: number, samples: readonly string[]): FailureCounts => ({ byNext: { retry, dead_letter: 0, park: 1 }, dead: 1, firstAt, lastAt, samples });

describe('groups of failures', () => {
  it('have one text each, which gives the reason back', () => {
    for (const reason of [
      { destinationKey: 'https://a/x', code: 'http_busy', httpStatus: 503 },
      { destinationKey: 'kafka://default/orders', code: 'timed_out', httpStatus: undefined },
    ] as const) expect(reasonOf(groupOf(reason))).to.deep.equal(reason);
    expect(reasonOf(REST)).to.equal(undefined);
  });

  it('add up, with the newest samples of both, each once', () => {
    expect(addCounts(counts(1, 5, 10, ['a', 'b']), counts(2, 7, 20, ['c', 'a']))).to.deep.equal({ byNext: { retry: 3, dead_letter: 0, park: 2 }, dead: 2, firstAt: 5, lastAt: 20, samples: ['c', 'a', 'b'] });
  });

  it('come with the most failures first, and the others in one at the end', () => {
    const groups = new Map([['small', counts(1, 1, 1, ['s'])], [REST, counts(9, 1, 1, ['r'])], ['large', counts(5, 1, 1, ['l'])], ['middle', counts(3, 1, 2, ['m'])]]);
    expect([...largestGroups(groups, 4).keys()]).to.deep.equal(['large', 'middle', 'small', REST]);
    const two = largestGroups(groups, 2);
    expect([...two.keys()]).to.deep.equal(['large', 'middle', REST]);
    expect(two.get(REST)?.byNext.retry).to.equal(10);
    expect([...largestGroups(new Map([['one', counts(1, 1, 1, [])]]), 2).keys()]).to.deep.equal(['one']);
  });
});

describe('FailureCounter', () => {
  const failure = { code: 'timed_out', httpStatus: undefined, next: 'retry', phase: 'delivery' } as const;

  it('keeps the newest three ids of a group, and starts anew when it is taken', () => {
    const counter = new FailureCounter();
    for (const [nth, taskId] of ['a', 'b', 'a', 'c', 'd'].entries()) counter.count({ ...failure, phase: taskId === 'd' ? 'dead' : 'delivery', destinationKey: 'k', taskId, at: nth });
    expect([...counter.take().values()]).to.deep.equal([{ byNext: { retry: 5, dead_letter: 0, park: 0 }, dead: 1, firstAt: 0, lastAt: 4, samples: ['d', 'c', 'a'] }]);
    expect(counter.take().size).to.equal(0);
  });

  it('holds at most 1,000 groups and the rest, also of what is given back', () => {
    const counter = new FailureCounter();
    const count = (prefix: string): void => { for (let nth = 0; nth < 2 * MAX_GROUPS; nth += 1) counter.count({ ...failure, destinationKey: `${prefix}${nth}`, taskId: 't', at: nth }); };
    count('a');
    const taken = counter.take();
    expect(taken.size).to.equal(MAX_GROUPS + 1);
    count('b');
    counter.giveBack(taken);
    const all = counter.take();
    expect(all.size).to.equal(MAX_GROUPS + 1);
    expect([...all.values()].reduce((sum, { byNext }) => sum + byNext.retry, 0)).to.equal(4 * MAX_GROUPS);
  });

  it('counts on after something was given back', () => {
    const counter = new FailureCounter();
    counter.count({ ...failure, destinationKey: 'k', taskId: 'a', at: 1 });
    const taken = counter.take();
    counter.count({ ...failure, destinationKey: 'k', taskId: 'b', at: 2 });
    counter.giveBack(taken);
    counter.count({ ...failure, destinationKey: 'k', taskId: 'c', at: 3 });
    expect([...counter.take().values()]).to.deep.equal([{ byNext: { retry: 3, dead_letter: 0, park: 0 }, dead: 0, firstAt: 1, lastAt: 3, samples: ['c', 'b', 'a'] }]);
    expect([...taken.values()][0]?.byNext.retry, 'what was taken stays as it was').to.equal(1);
  });
});
