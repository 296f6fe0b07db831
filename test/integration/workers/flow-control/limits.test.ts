import { expect } from 'chai';

import { flowKeys } from '../../../../shared/queue/fleet-keys.js';
import { eventually } from '../../../support/eventually.js';
import { getTask, timeOf, waitForState } from '../../../support/tasks.js';
import { Fleet, mostInOneSecond } from './fleet.js';

describe('limits of a destination', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  it('five at once over three workers; others are not held up', async () => {
    fleet.receiver.on('/hook', { kind: 'answer', delayMs: 60 });
    await fleet.limit(fleet.origin, { maxConcurrency: 5 });
    await fleet.submit(100);
    const startedAt = performance.now();
    await fleet.hire(3, { concurrency: 20 });
    await fleet.submit(30, {}, fleet.healthy);
    await fleet.healthy.waitForRequests(30);
    expect(fleet.receiver.requests.length, 'meanwhile').to.be.below(100);
    await fleet.receiver.waitForRequests(100, { withinMs: 20_000 });
    expect(fleet.receiver.maxInFlight).to.equal(5);
    expect(performance.now() - startedAt, 'ideal: 1,200 ms').to.be.below(15_000);
    const keys = flowKeys(fleet.service.prefix, false);
    await eventually(async () => expect(await fleet.service.redis.exists(keys.leases(fleet.origin)), 'no place is kept').to.equal(0));
  }).timeout(30_000);

  it('fifty a second over two workers, in any second', async () => {
    await fleet.limit(fleet.origin, { ratePerSecond: 50 });
    await fleet.submit(200);
    await fleet.hire(2, { concurrency: 50 });
    const arrived = (await fleet.receiver.waitForRequests(200, { withinMs: 20_000 })).map(({ arrivedAt }) => arrivedAt);
    // Two workers that do not share the limit send a hundred a second. A busy machine makes some arrive late, together with the next ones.
    expect(mostInOneSecond(arrived)).to.be.at.most(75);
    const seconds = ((arrived.at(-1) ?? 0) - (arrived[0] ?? 0)) / 1_000;
    expect(200 / seconds, 'a second on average').to.be.within(35, 60);
  }).timeout(30_000);

  it('what a task waits for its turn is no part of its attempt', async () => {
    await fleet.limit(fleet.origin, { ratePerSecond: 4, burst: 1 });
    await fleet.hire(1, { concurrency: 20 });
    const tasks = await fleet.submit(3);
    const shown = await Promise.all(tasks.map(({ id }) => waitForState(fleet.service.baseUrl, id, 'delivered')));
    const starts = shown.map(({ timeline }) => timeOf(timeline[0]?.started_at)).sort((a, b) => a - b);
    const gaps = starts.slice(1).map((at, nth) => at - (starts[nth] ?? 0));
    expect(Math.min(...gaps), `a quarter of a second each: ${gaps.join(', ')}`).to.be.at.least(100);
  }).timeout(30_000);

  it('of one send in many seconds keeps no slot meanwhile: what waits can be cancelled, and goes out as soon as the limit is raised', async () => {
    await fleet.limit(fleet.origin, { ratePerSecond: 0.02 });
    await fleet.hire(1, { concurrency: 20 });
    const tasks = await fleet.submit(4);
    await fleet.receiver.waitForRequests(1);
    const statesOf = async (): Promise<readonly unknown[]> => (await Promise.all(tasks.map(({ id }) => getTask(fleet.service.baseUrl, id)))).map(({ state, waiting_for }) => waiting_for?.code ?? state).sort();
    await eventually(async () => expect(await statesOf()).to.deep.equal(['delivered', 'limit', 'limit', 'limit']));
    const waiting = tasks.filter(({ id }) => id !== fleet.receiver.requests[0]?.taskId);
    const answer = await fetch(`${fleet.service.baseUrl}/tasks/${waiting[0]?.id ?? ''}`, { method: 'DELETE' });
    expect(answer.status).to.equal(200);
    await fleet.limit(fleet.origin, { ratePerSecond: 50 });
    const raisedAt = performance.now();
    await fleet.receiver.waitForRequests(3, { withinMs: 20_000 });
    // By the old limit the next one goes out after 50 s.
    expect(performance.now() - raisedAt).to.be.below(10_000);
  }).timeout(40_000);

  it('that is lowered while tasks wait for their turn keeps none of them in a slot, and goes away for all', async () => {
    await fleet.limit(fleet.origin, { ratePerSecond: 60 });
    const tasks = await fleet.submit(150);
    await fleet.hire(1, { concurrency: 100 });
    await fleet.receiver.waitForRequests(20, { withinMs: 20_000 });
    await fleet.limit(fleet.origin, { ratePerSecond: 0.02 });
    await eventually(async () => {
      const shown = await Promise.all(tasks.map(({ id }) => getTask(fleet.service.baseUrl, id)));
      expect(shown.map(({ state, waiting_for }) => waiting_for?.code ?? state)).to.include('limit').and.not.include('delivering');
    }, { everyMs: 250 });
    await fleet.limit(fleet.origin, undefined);
    await fleet.receiver.waitForRequests(150, { withinMs: 20_000 });
  }).timeout(60_000);

  it('keeps the pace of a rate at which a task waits longer than it may keep a slot', async () => {
    await fleet.limit(fleet.origin, { ratePerSecond: 2 });
    await fleet.hire(2, { concurrency: 20 });
    await fleet.submit(7);
    const arrived = (await fleet.receiver.waitForRequests(7, { withinMs: 20_000 })).map(({ arrivedAt }) => arrivedAt);
    // On a busy machine the first may arrive late, or the last. Were each worker to have the whole rate, it would be 1.5 s.
    expect(((arrived.at(-1) ?? 0) - (arrived[0] ?? 0)) / 1_000, 'ideal: 3 s').to.be.within(2, 5.5);
  }).timeout(30_000);

  it('takes effect soon, goes away soon, and says what a task waits for', async () => {
    fleet.receiver.on('/hook', { kind: 'answer', delayMs: 20 });
    await fleet.hire(2, { concurrency: 20 });
    await fleet.submit(1);
    await fleet.receiver.waitForRequests(1);
    await fleet.limit(fleet.origin, { ratePerSecond: 2 });
    const setAt = performance.now();
    const tasks = await fleet.submit(20);
    await eventually(async () => {
      tasks.push(...await fleet.submit(3));
      const waiting = await Promise.all(tasks.slice(-10).map(({ id }) => getTask(fleet.service.baseUrl, id)));
      expect(waiting.map(({ waiting_for }) => waiting_for?.code)).to.include('limit');
    });
    expect(performance.now() - setAt, 'the hold of 250 ms included').to.be.below(6_000);
    const sent = fleet.receiver.requests.length;
    tasks.push(...await fleet.submit(50));
    expect(fleet.receiver.requests.length - sent).to.be.below(10);
    await fleet.limit(fleet.origin, undefined);
    const removedAt = performance.now();
    await fleet.receiver.waitForRequests(tasks.length + 1, { withinMs: 20_000 });
    // Two a second would take half a minute.
    expect(performance.now() - removedAt).to.be.below(15_000);
  }).timeout(30_000);

  it('a flow_key splits one origin: only its own tasks are limited', async () => {
    fleet.receiver.on('/hook', { kind: 'answer', delayMs: 100 });
    await fleet.limit('tenant-7', { maxConcurrency: 1 });
    const limited = new Set((await fleet.submit(10, { flow_key: 'tenant-7' })).map(({ id }) => id));
    await fleet.submit(10, { flow_key: 'tenant-8' });
    await fleet.submit(10);
    await fleet.hire(2, { concurrency: 60 });
    await fleet.receiver.waitForRequests(30, { withinMs: 15_000 });
    const times = fleet.receiver.requests.filter(({ taskId }) => limited.has(taskId)).map(({ arrivedAt }) => arrivedAt);
    const gaps = times.slice(1).map((at, nth) => at - (times[nth] ?? 0));
    expect(Math.min(...gaps), 'one after the other').to.be.above(90);
    expect(fleet.receiver.requests.slice(0, 15).filter(({ taskId }) => !limited.has(taskId)).length, 'the others go first').to.be.above(10);
  }).timeout(30_000);

  it('a limit of the host holds for all its keys together, but for one that has its own', async () => {
    fleet.receiver.on('/hook', { kind: 'answer', delayMs: 50 });
    await fleet.limit(fleet.origin, { maxConcurrency: 2 });
    await fleet.limit('own', { maxConcurrency: 3 });
    const own = new Set((await fleet.submit(15, { flow_key: 'own' })).map(({ id }) => id));
    await fleet.submit(10, { flow_key: 'a' });
    await fleet.submit(10, { flow_key: 'b' });
    const inFlight = { own: 0, others: 0, mostOwn: 0, mostOthers: 0 };
    fleet.receiver.on('/hook', ({ taskId }) => {
      const whose = own.has(taskId) ? 'own' : 'others';
      inFlight[whose] += 1;
      inFlight.mostOwn = Math.max(inFlight.mostOwn, inFlight.own);
      inFlight.mostOthers = Math.max(inFlight.mostOthers, inFlight.others);
      setTimeout(() => { inFlight[whose] -= 1; }, 49);
      return { kind: 'answer', delayMs: 50 };
    });
    await fleet.hire(2, { concurrency: 40 });
    await fleet.receiver.waitForRequests(35, { withinMs: 15_000 });
    expect([inFlight.mostOwn, inFlight.mostOthers]).to.deep.equal([3, 2]);
  }).timeout(30_000);

  /** What a limit is for, beside the endpoint that always has more tasks than it lets start: another path of the host, or another host. */
  const beside = { 'a host': { name: () => fleet.origin, receiver: () => fleet.receiver }, 'everything (*)': { name: () => '*', receiver: () => fleet.healthy } } as const;
  for (const [what, { name, receiver }] of Object.entries(beside)) {
    for (const [limit, behaviour] of [[{ ratePerSecond: 20 }, { kind: 'answer' }], [{ maxConcurrency: 2 }, { kind: 'answer', delayMs: 100 }]] as const) {
      it(`of ${what} go round among all that wait for them: ${JSON.stringify(limit)}`, async () => {
        for (const each of [fleet.receiver, fleet.healthy]) for (const path of ['/hook', '/seldom']) each.on(path, behaviour);
        await fleet.limit(name(), limit);
        await fleet.hire(1, { concurrency: 50 });
        await fleet.submit(60);
        await fleet.receiver.waitForRequests(1);
        const seldom = await fleet.submit(3, { destination: { url: receiver().url('/seldom') } });
        let later: readonly string[] = [];
        await eventually(async () => {
          later = [...later, ...(await fleet.submit(5)).map(({ id }) => id)];
          expect(receiver().requests.filter(({ path }) => path === '/seldom').map(({ taskId }) => taskId)).to.have.members(seldom.map(({ id }) => id));
        }, { withinMs: 15_000, everyMs: 200 });
        expect(fleet.receiver.requests.filter(({ taskId }) => later.includes(taskId)).length, 'that came later and went first').to.be.at.most(5);
      }).timeout(60_000);
    }
  }
});
