import { expect } from 'chai';

import { parkTasks } from '../../../support/bulk-actions.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, submitNew, waitForState } from '../../../support/tasks.js';

describe('the history of a task', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = true;
    receiver = await createReceiver();
    receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 400 : 200 }));
    service = await InProcessService.ready();
    await service.startWorker();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const person = (operator: string | null) => ({ type: 'anonymous', id: null, name: null, operator });
  const board = '/admin/queues/api/queues/deliver-0';

  /** @returns kind and doer of each entry that a person has made */
  async function doers(id: string): Promise<unknown[]> {
    const { timeline } = await getTask(service.baseUrl, id);
    return timeline.filter(({ kind }) => kind === 'redriven' || kind === 'cancelled').map((entry) => [entry.kind, entry.by, 'bulk_action_id' in entry]);
  }

  async function change(method: string, path: string, operator?: string): Promise<void> {
    const { status, body } = await call(service.baseUrl, path, { method, headers: operator === undefined ? {} : { 'x-operator': operator } });
    expect(status, JSON.stringify(body)).to.be.within(200, 299);
  }

  it('names the person who has cancelled it', async () => {
    const [named, unnamed] = [httpTask(receiver.url('/hook'), { initial_delay: 3_600 }), httpTask(receiver.url('/hook'), { initial_delay: 3_600 })];
    await submitNew(service.baseUrl, named);
    await submitNew(service.baseUrl, unnamed);
    await change('DELETE', `/tasks/${named.id}`, 'Anna');
    await change('DELETE', `/tasks/${unnamed.id}`);
    expect([await doers(named.id), await doers(unnamed.id)]).to.deep.equal([[['cancelled', person('Anna'), false]], [['cancelled', person(null), false]]]);
  });

  it('names the person of each new run, by the API and by both buttons of the board, and keeps those of earlier ones', async () => {
    const [id = ''] = await parkTasks(service.baseUrl, receiver.url('/hook'), 1);
    const ways = [['POST', `/tasks/${id}/retry`], ['PUT', `${board}/t-${id}/retry`], ['PUT', `${board}/retry/failed`], ['POST', `/tasks/${id}/retry`]] as const;
    const names = ['Anna', 'J%C3%BCrgen', 'Bo', '%22%7D%2C%22at%22%3A%7B%22%5D%5C%5C%25d'];
    for (const [nth, [method, path]] of ways.entries()) {
      isDown = nth < ways.length - 1;
      await change(method, path, names[nth]);
      await receiver.waitForRequests(nth + 2);
      await waitForState(service.baseUrl, id, isDown ? 'parked' : 'delivered');
    }
    expect(await doers(id)).to.deep.equal(names.map((name) => ['redriven', person(decodeURIComponent(name)), false]));
    const lines = await fetch(`${service.baseUrl}${board}/t-${id}/logs`).then(async (response) => (await response.json()) as string[]);
    expect(lines.filter((line) => line.includes('started again')).map((line) => line.slice(line.indexOf('run ')))).to.deep.equal(names.map((name, nth) => `run ${nth + 2}: started again by ${decodeURIComponent(name)}`));
  }).timeout(30_000);
});
