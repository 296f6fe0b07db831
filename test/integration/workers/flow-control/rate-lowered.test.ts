import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { getTask } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

describe('a destination that answers 429', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  it('is sent half as much at once, says so, and gets more again by steps', async () => {
    let complainedAt = Infinity;
    fleet.receiver.on('/hook', (_request, nth) => {
      if (nth !== 100) return { kind: 'answer' };
      complainedAt = performance.timeOrigin + performance.now();
      return { kind: 'answer', status: 429 };
    });
    const tasks = await fleet.submit(600, { max_retries: 1 });
    await fleet.hire(1, { concurrency: 20 });
    await fleet.receiver.waitForRequests(100);
    await eventually(async () => {
      const waiting = await Promise.all(tasks.slice(-20).map(({ id }) => getTask(fleet.service.baseUrl, id)));
      expect(waiting.map(({ waiting_for }) => waiting_for?.code)).to.include('rate_lowered');
    });
    await fleet.receiver.waitForRequests(601, { withinMs: 20_000 });
    const within = (from: number, to: number): number => fleet.receiver.requests.filter(({ arrivedAt }) => arrivedAt >= complainedAt + from && arrivedAt < complainedAt + to).length;
    // A hundred in less than a second: fifty a second now, a quarter second of it at once, and what was under way.
    expect(within(0, 1_000)).to.be.within(10, 50 + 13 + 20);
    expect(within(2_000, 3_000), 'a step up each second').to.be.above(within(0, 1_000));
    expect(fleet.service.log.includes(`destination=${fleet.origin}`), 'one 429 opens no circuit').to.equal(false);
  }).timeout(40_000);
});
