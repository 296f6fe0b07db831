import { expect } from 'chai';

import { summarizeCpu } from '../../bench/cpu-profile.js';

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });

describe('summary of a CPU profile', () => {
  const summary = summarizeCpu(
    {
      nodes: [
        { id: 1, callFrame: frame('(idle)') },
        { id: 2, callFrame: frame('(garbage collector)') },
        { id: 3, callFrame: frame('send', 'file:///clone/dist/workers/deliver-task.js', 9) },
        { id: 4, callFrame: frame('pack', 'file:///clone/node_modules/bullmq/node_modules/msgpackr/pack.js', 4) },
        { id: 5, callFrame: frame('', 'file:///clone/node_modules/@bull-board/api/dist/index.js') },
        { id: 6, callFrame: frame('nextTick', 'node:internal/process/task_queues') },
        { id: 7, callFrame: frame('writev') },
        // The same function, called from elsewhere.
        { id: 8, callFrame: frame('send', 'file:///clone/dist/workers/deliver-task.js', 9) },
      ],
      samples: [1, 2, 3, 4, 5, 6, 7, 8],
      timeDeltas: [5_000, 1_000, 20_000, 3_000, 4_000, 7_000, 6_000, 9_000],
    },
    2,
  );

  it('leaves idle time out of what is shared out', () => {
    expect(summary.idleMs).to.equal(5);
    expect(summary.busyMs).to.equal(50);
  });

  it('shares out the time by package, the innermost one for a package within a package', () => {
    const shares = Object.fromEntries(summary.packages.map(({ name, ms }) => [name, ms]));
    expect(shares).to.deep.equal({ 'service': 29, 'node': 7, 'native': 6, '@bull-board/api': 4, 'msgpackr': 3, '(garbage collector)': 1 });
  });

  it('names the functions that took most, added up over their callers', () => {
    expect(summary.functions).to.deep.equal([
      { name: 'send - workers/deliver-task.js:10', ms: 29, share: 0.58 },
      { name: 'nextTick - node task_queues:1', ms: 7, share: 0.14 },
    ]);
  });
});
