import { setImmediate as nextLoop } from 'node:timers/promises';

import { expect } from 'chai';

import { WorkTurns } from '../../../../server/http/work-turns.js';

describe('WorkTurns', () => {
  it('gives each turn of the event loop to one piece of work, in the order in which they asked', async () => {
    const turns = new WorkTurns();
    const done: string[] = [];
    const work = async (name: string): Promise<void> => {
      for (let step = 0; step < 2; step += 1) {
        await turns.next();
        done.push(name);
      }
    };
    const all = Promise.all(['a', 'b', 'c'].map(work));
    const perLoop: number[] = [];
    for (let before = 0; before < 6; before = done.length) {
      await nextLoop();
      perLoop.push(done.length - before);
    }
    await all;
    expect(done.join('')).to.equal('abcabc');
    expect(Math.max(...perLoop)).to.equal(1);
  });

  it('is used up after some milliseconds of work, and begins anew with the next turn', async () => {
    const turns = new WorkTurns();
    expect(workUntilUsedUp(turns)).to.be.above(5);
    await turns.next();
    expect(turns.isUsedUp).to.equal(false);
  });

  it('counts the work of all together, and only that of one turn of the event loop', async () => {
    const turns = new WorkTurns();
    workUntilUsedUp(turns);
    expect(turns.isUsedUp, 'for another one in the same turn').to.equal(true);
    await nextLoop();
    expect(turns.isUsedUp).to.equal(false);
  });
});

/** @returns ms */
function workUntilUsedUp(turns: WorkTurns): number {
  const startedAt = performance.now();
  while (!turns.isUsedUp) expect(performance.now() - startedAt).to.be.below(1_000);
  return performance.now() - startedAt;
}
