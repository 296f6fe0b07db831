import { expect } from 'chai';

import type { ReceivedRequest } from '../../../support/receiver.js';
import { httpTask, submitNew, waitForState } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

describe('a path that its first task finds busy, with a Retry-After', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  const send = async (path: string): Promise<string> => {
    const task = httpTask(fleet.receiver.url(path), { max_retries: 5, base_delay: 0.1 });
    await submitNew(fleet.service.baseUrl, task);
    return task.id;
  };
  const arrivalOf = (id: string): ReceivedRequest => {
    const [request] = fleet.receiver.requestsFor(id);
    if (request === undefined) throw new Error(`${id} has not arrived`);
    return request;
  };

  for (const status of [429, 503]) {
    it(`lets its second task wait after a ${status}, and no other path of the host`, async () => {
      fleet.receiver.on('/busy', (_request, nth) => (nth === 1 ? { kind: 'answer', status, headers: { 'retry-after': '2' } } : { kind: 'answer' }));
      await fleet.hire(1);
      const first = await send('/busy');
      await waitForState(fleet.service.baseUrl, first, 'retrying');
      const [second, other] = [await send('/busy'), await send('/other')];
      await waitForState(fleet.service.baseUrl, other, 'delivered');
      expect(fleet.receiver.requestsFor(second), 'while it waits').to.have.lengthOf(0);
      for (const id of [first, second]) await waitForState(fleet.service.baseUrl, id, 'delivered');
      expect(arrivalOf(second).arrivedAt - arrivalOf(first).arrivedAt).to.be.at.least(1_990);
    }).timeout(30_000);
  }

  it('also when the second one came while the first was being sent', async () => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => { release = resolve; });
    fleet.receiver.on('/busy', (_request, nth) => (nth === 1 ? { kind: 'answer', status: 429, headers: { 'retry-after': '2' }, after: released } : { kind: 'answer' }));
    await fleet.hire(1);
    const first = await send('/busy');
    await fleet.receiver.waitForRequests(1);
    await waitForState(fleet.service.baseUrl, await send('/busy'), 'delivered');
    const answeredAt = performance.timeOrigin + performance.now();
    release();
    await waitForState(fleet.service.baseUrl, first, 'retrying');
    const third = await send('/busy');
    for (const id of [first, third]) await waitForState(fleet.service.baseUrl, id, 'delivered');
    expect(arrivalOf(third).arrivedAt - answeredAt).to.be.at.least(1_990);
  }).timeout(30_000);
});
