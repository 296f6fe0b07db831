import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { getTask, waitForState } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

describe('a paused destination', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  it('gets nothing, says why its tasks wait, leaves others alone, and gets all when it is resumed', async () => {
    fleet.receiver.on('/hook', { kind: 'answer', delayMs: 5 });
    await fleet.limit(fleet.origin, { isPaused: true });
    const tasks = await fleet.submit(150);
    await fleet.hire(2, { concurrency: 100 });
    await fleet.submit(50, {}, fleet.healthy);
    await fleet.healthy.waitForRequests(50);
    await eventually(async () => {
      const waiting = await Promise.all(tasks.map(({ id }) => getTask(fleet.service.baseUrl, id)));
      expect(waiting.filter(({ waiting_for }) => waiting_for?.code === 'paused')).to.have.lengthOf(150);
    });
    expect(fleet.receiver.requests, 'nothing is sent').to.have.lengthOf(0);
    await fleet.limit(fleet.origin, undefined);
    await fleet.receiver.waitForRequests(150, { withinMs: 10_000 });
    expect(fleet.receiver.maxInFlight, 'slowly at first').to.be.below(100);
    for (const { id } of tasks) await waitForState(fleet.service.baseUrl, id, 'delivered');
    expect(fleet.receiver.requests.every(({ headers }) => headers['x-retry-attempt'] === '0')).to.equal(true);
  }).timeout(30_000);

  it('is paused for tasks of all flow_keys when its host is, and for one flow_key alone', async () => {
    await fleet.limit(fleet.origin, { isPaused: true });
    await fleet.limit('tenant', { maxConcurrency: 5 });
    const [ofTenant] = await fleet.submit(1, { flow_key: 'tenant' });
    await fleet.hire(1);
    const code = async (id = ''): Promise<string | undefined> => (await getTask(fleet.service.baseUrl, id)).waiting_for?.code;
    await eventually(async () => expect(await code(ofTenant?.id)).to.equal('paused'));
    await fleet.limit('tenant', { maxConcurrency: 5, isPaused: true });
    await fleet.limit(fleet.origin, undefined);
    const [other] = await fleet.submit(1);
    await waitForState(fleet.service.baseUrl, other?.id ?? '', 'delivered');
    expect(await code(ofTenant?.id)).to.equal('paused');
    await fleet.limit('tenant', undefined);
    await waitForState(fleet.service.baseUrl, ofTenant?.id ?? '', 'delivered', { withinMs: 5_000 });
  }).timeout(20_000);
});
