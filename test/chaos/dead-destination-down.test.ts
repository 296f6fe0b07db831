import { expect } from 'chai';

import { queueName } from '../../shared/queue/names.js';
import { eventually } from '../support/eventually.js';
import { call, getTask, getTaskAnswer } from '../support/tasks.js';
import { profile } from './profile.js';
import { scenario } from './scenario.js';

describe('chaos: the dead destination', () => {
  scenario('8a', 'down for longer than its own policy: parked, kept, redrivable', async (scene) => {
    const settings = { DEAD_ATTEMPTS: '3', DEAD_BASE_DELAY: '50ms', DEAD_LETTER_RETENTION: '1s' };
    const { ledger, service, receiver, redis, keys } = await scene.stage({ workers: 2, settings });
    let isDown = true;
    ledger.on('/hook', () => ({ kind: 'answer', status: isDown ? 500 : 200 }));
    ledger.on('/dead', () => ({ kind: 'answer', status: isDown ? 503 : 200 }));
    await ledger.submitAll(ledger.tasks(profile.tasks, { max_retries: 1 }));
    const parked = await ledger.settle();
    expect(parked.parked).to.equal(profile.tasks);
    const [first = ''] = ledger.acked;
    expect((await getTask(service.baseUrl, first)).dead_reason).to.equal('retries_exhausted');
    expect(await redis.zcard(keys.parked)).to.equal(profile.tasks);

    // A dead letter that is younger than they are and is removed by age: the janitor has been where they lie.
    const marker = ledger.task({ destination: { url: receiver.url('/gone') }, dead_destination: { url: receiver.url('/dead-marker') }, max_retries: 0 });
    receiver.on('/gone', { kind: 'answer', status: 500 });
    const { status } = await call(service.baseUrl, '/tasks', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(marker) });
    expect(status).to.equal(201);
    // By its receiver, not by its state: the record is there for a second only.
    await receiver.waitForRequests(1, { path: '/dead-marker', withinMs: 20_000 });
    await eventually(async () => expect((await getTaskAnswer(service.baseUrl, marker.id)).status).to.equal(404), { withinMs: 20_000 });
    expect((await ledger.settle()).parked, 'nothing is deleted by age while it is parked').to.equal(profile.tasks);

    isDown = false;
    ledger.faultIsOver();
    // Retry all takes them in pages.
    await eventually(async () => {
      const answer = await call(service.baseUrl, `/admin/queues/api/queues/${queueName(0)}/retry/failed`, { method: 'PUT' });
      expect(answer.status).to.be.within(200, 299);
      expect(await redis.zcard(keys.failed)).to.equal(0);
    }, { withinMs: 30_000, everyMs: 100 });
    const measured = await eventually(async () => {
      const reckoning = await ledger.settle();
      expect(reckoning).to.include({ delivered: profile.tasks, parked: 0, duplicates: 0 });
      return reckoning;
    }, { withinMs: 30_000 });
    return { ...measured, note: `${profile.tasks} were parked, and started again by Retry all` };
  });
});
