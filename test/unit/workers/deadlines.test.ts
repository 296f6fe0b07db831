import { expect } from 'chai';

import { Deadlines } from '../../../workers/deadlines.js';
import { eventually } from '../../support/eventually.js';

describe('Deadlines', () => {
  it('ends each in its order and not before its time, shorter ones before longer ones', async () => {
    const deadlines = new Deadlines();
    const startedAt = performance.now();
    const ended: [name: string, afterMs: number][] = [];
    const end = (name: string) => () => { ended.push([name, performance.now() - startedAt]); };
    deadlines.add(60, end('long'));
    deadlines.add(20, end('first'));
    deadlines.add(20, end('second'));
    await eventually(() => expect(ended.map(([name]) => name)).to.deep.equal(['first', 'second', 'long']));
    for (const [name, afterMs] of ended) expect(afterMs, name).to.be.at.least(name === 'long' ? 58 : 18);
  });

  it('forgets what is called off, first, last or in between, and goes on with the rest', async () => {
    const deadlines = new Deadlines();
    const ended: number[] = [];
    const callOff = Array.from({ length: 7 }, (_, nth) => deadlines.add(20, () => { ended.push(nth); }));
    for (const nth of [0, 3, 6]) callOff[nth]?.();
    callOff[3]?.(); // twice is once
    await eventually(() => expect(ended).to.deep.equal([1, 2, 4, 5]));
    deadlines.add(20, () => { ended.push(7); });
    await eventually(() => expect(ended).to.deep.equal([1, 2, 4, 5, 7]));
    callOff[1]?.(); // after its end it is nothing
  });

  it('takes new ones while it ends others', async () => {
    const deadlines = new Deadlines();
    const ended: string[] = [];
    deadlines.add(5, () => {
      ended.push('one');
      deadlines.add(5, () => { ended.push('two'); });
    });
    await eventually(() => expect(ended).to.deep.equal(['one', 'two']));
  });
});
