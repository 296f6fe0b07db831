import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { getTask, waitForState } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

describe('a destination that refuses sends without a Retry-After', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  it('is sent half as much at once when it refuses too much, says so, and gets more again by steps', async () => {
    let refusedAt = Infinity;
    fleet.receiver.on('/hook', (_request, nth) => {
      const now = performance.timeOrigin + performance.now();
      if (nth < 60 || nth % 2 !== 0 || now > refusedAt + 500) return { kind: 'answer' };
      // Every second one for half a second: more than a fifth, and never a row.
      refusedAt = Math.min(refusedAt, now);
      return { kind: 'answer', status: 429 };
    });
    const tasks = await fleet.submit(600, { max_retries: 1 });
    await fleet.hire(1, { concurrency: 20 });
    await eventually(async () => {
      const waiting = await Promise.all(tasks.slice(-20).map(({ id }) => getTask(fleet.service.baseUrl, id)));
      expect(waiting.map(({ waiting_for }) => waiting_for?.code)).to.include('rate_lowered');
    });
    await fleet.receiver.waitForRequests(600, { withinMs: 20_000 });
    const within = (from: number, to: number): number => fleet.receiver.requests.filter(({ arrivedAt }) => arrivedAt >= refusedAt + from && arrivedAt < refusedAt + to).length;
    expect(within(500, 1_500), 'nothing like as fast as before').to.be.within(5, 150);
    expect(fleet.service.log.split('\n').some((line) => line.includes('circuit open') && line.includes(fleet.origin)), 'its circuit stays closed').to.equal(false);
  }).timeout(40_000);

  it('gets all that waits, though a small share of it is refused all the time', async () => {
    // Every second one of the first 16, then 8 %: with a rate that rose only in seconds without a refusal this took a minute.
    fleet.receiver.on('/hook', (_request, nth) => ((nth <= 16 ? nth % 2 === 0 : nth % 12 === 0) ? { kind: 'answer', status: 429 } : { kind: 'answer' }));
    await fleet.hire(1);
    await fleet.submit(16, { max_retries: 20, base_delay: 1 });
    await fleet.receiver.waitForRequests(16);
    const tasks = await fleet.submit(600, { max_retries: 20, base_delay: 1 });
    await eventually(async () => {
      const waiting = await Promise.all(tasks.slice(-20).map(({ id }) => getTask(fleet.service.baseUrl, id)));
      expect(waiting.map(({ waiting_for }) => waiting_for?.code)).to.include('rate_lowered');
    });
    await eventually(() => expect(tasks.filter(({ id }) => fleet.receiver.requestsFor(id).length === 0)).to.deep.equal([]), { withinMs: 30_000 });
  }).timeout(60_000);

  for (const status of [429, 503]) {
    it(`keeps all other tasks exactly on time when it has answered ${status} once, though it is hardly sent anything`, async () => {
      fleet.receiver.on('/hook', (_request, nth) => (nth === 1 ? { kind: 'answer', status } : { kind: 'answer' }));
      await fleet.hire(1);
      const [refused] = await fleet.submit(1, { max_retries: 2, base_delay: 0.3 });
      await fleet.receiver.waitForRequests(1);
      const others = await fleet.submit(30, { initial_delay: 1 });
      for (const { id } of [...(refused === undefined ? [] : [refused]), ...others]) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 10_000 });
      const arrived = others.flatMap(({ id }) => fleet.receiver.requestsFor(id).map(({ arrivedAt }) => arrivedAt));
      expect(arrived).to.have.lengthOf(30);
      expect(Math.max(...arrived) - Math.min(...arrived), 'all were submitted within a moment').to.be.below(2_500);
      const [first = 0, second = 0] = fleet.receiver.requestsFor(refused?.id ?? '').map(({ arrivedAt }) => arrivedAt);
      expect(second - first, 'its own retry').to.be.within(290, 3_000);
    }).timeout(20_000);
  }
});
