import { setImmediate as nextLoop } from 'node:timers/promises';

import { expect } from 'chai';

import { WorkTurns } from '../../../../server/http/work-turns.js';

describe('WorkTurns', () => {
  it('gives each turn of the event loop to one piece of work, in the order in which they asked', async () => {
    const turns = new WorkTurns();
    const done: string[] = [];
    const twice = async (name: string): Promise<void> => {
      for (let step = 0; step < 2; step += 1) {
        await turns.next();
        done.push(name);
      }
    };
    const all = Promise.all(['a', 'b', 'c'].map(twice));
    const perLoop: number[] = [];
    for (let before = 0; before < 6; before = done.length) {
      await nextLoop();
      perLoop.push(done.length - before);
    }
    await all;
    expect(done.join('')).to.equal('abcabc');
    expect(Math.max(...perLoop)).to.equal(1);
  });

  it('begins short pieces at once, until they have used up the turn; the others follow in order, over several turns', async () => {
    const turns = new WorkTurns();
    const done: number[] = [];
    for (let nth = 0; nth < 100; nth += 1) {
      turns.begin(() => {
        done.push(nth);
        work(1);
      });
    }
    const atOnce = done.length;
    expect(atOnce).to.be.within(16, 30);
    const perLoop: number[] = [];
    for (let before = atOnce; before < 100; before = done.length) {
      await nextLoop();
      perLoop.push(done.length - before);
    }
    expect(done).to.deep.equal(Array.from({ length: 100 }, (_, nth) => nth));
    expect(Math.max(...perLoop)).to.be.at.most(12);
  });

  it('gives a long step a turn in which little else is done, before the short pieces that came behind it', async () => {
    const turns = new WorkTurns();
    const order: string[] = [];
    workUntilUsedUp(turns);
    const long = turns.next().then(() => { order.push('long'); work(20); });
    turns.begin(() => order.push('short'));
    await nextLoop();
    expect(order, 'in the turn that is used up').to.deep.equal([]);
    await nextLoop();
    expect(order).to.deep.equal(['long']);
    await nextLoop();
    expect(order).to.deep.equal(['long', 'short']);
    await long;
  });

  it('lets nothing overtake the work that waits', async () => {
    const turns = new WorkTurns();
    const waiting = turns.whenFree();
    expect(turns.isUsedUp).to.equal(true);
    await waiting;
    expect(turns.isUsedUp, 'for the one whose turn has come').to.equal(false);
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

/** Keeps the event loop busy. */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** @returns ms */
function workUntilUsedUp(turns: WorkTurns): number {
  const startedAt = performance.now();
  while (!turns.isUsedUp) expect(performance.now() - startedAt).to.be.below(1_000);
  return performance.now() - startedAt;
}
