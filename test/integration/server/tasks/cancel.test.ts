import { expect } from 'chai';

import { DATA_VERSION } from '../../../../shared/queue/tasks/task-codec.js';
import { eventually } from '../../../support/eventually.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, cancel, getTask, getTaskAnswer, httpTask, submit, submitNew, timeOf, uniqueId, waitForState, type Answer, type WireTask } from '../../../support/tasks.js';

describe('DELETE /tasks/:id', () => {
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    // A second dead delivery is an hour away: such a task waits in its dead phase.
    service = await InProcessService.ready({ dead: { attempts: 2, baseDelayMs: 3_600_000, maxDelayMs: 3_600_000 } });
    receiver = await createReceiver();
    receiver.on('/down', { kind: 'answer', status: 500 });
    receiver.on('/slow', { kind: 'answer', delayMs: 300 });
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url('/'), { initial_delay: 3_600, ...changes });
  const retrying = (): WireTask => httpTask(receiver.url('/down'), { max_retries: 1, base_delay: 3_600 });
  const dying = (): WireTask => httpTask(receiver.url('/down'), { dead_destination: { url: receiver.url('/down') } });

  function parking(): WireTask {
    const { dead_destination: _none, ...task } = httpTask(receiver.url('/down'), { id: uniqueId('parked'), on_exhausted: 'park' });
    return task;
  }

  async function submitted(task: WireTask, state: Parameters<typeof waitForState>[2]): Promise<WireTask> {
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, state);
    return task;
  }

  const keysOf = async (id: string): Promise<string[]> => service.redis.keys(`${service.prefix}:*:t-${id}*`);

  async function expectRefused(answer: Promise<Answer>, code: string): Promise<void> {
    const { status, body } = await answer;
    expect([status, body['code']]).to.deep.equal([409, code]);
    expect(body['error']).to.be.a('string').and.not.equal('');
  }

  it('does of cancelling and deleting only what the caller names, and nothing to a task that is in another state', async () => {
    const ask = (id: string, action: string): Promise<Answer> => call(service.baseUrl, `/tasks/${id}?action=${action}`, { method: 'DELETE' });
    const [parked, waits] = [await submitted(parking(), 'parked'), await submitted(waiting(), 'scheduled')];
    await expectRefused(ask(parked.id, 'cancel'), 'parked');
    await expectRefused(ask(waits.id, 'delete'), 'conflict');
    expect([(await getTask(service.baseUrl, parked.id)).state, (await getTask(service.baseUrl, waits.id)).state]).to.deep.equal(['parked', 'scheduled']);
    for (const action of ['', 'stop', 'cancel,cancel']) {
      const { status, body } = await ask(waits.id, action);
      expect([status, body['code']], action).to.deep.equal([400, 'invalid_request']);
    }
    expect((await ask(parked.id, 'delete')).body).to.include({ state: 'deleted' });
    expect((await ask(waits.id, 'cancel')).body).to.include({ state: 'cancelled' });
    await expectRefused(ask(waits.id, 'cancel'), 'finished');
  });

  for (const [state, make, attempt] of [
    ['scheduled', waiting, 0],
    ['retrying', retrying, 0],
    ['dead_lettering', dying, 0],
  ] as const) {
    it(`cancels a task that waits and is ${state}: shown with the time, finished, sent no more`, async () => {
      const task = await submitted(make(), state);
      // The state is the same while its dead letter is being sent for the first time.
      await eventually(async () => { expect((await getTask(service.baseUrl, task.id)).next_attempt_at).to.be.a('string'); });
      const sends = receiver.requestsFor(task.id).length;
      const before = Date.now();
      const { status, body } = await cancel(service.baseUrl, task.id);
      expect([status, body]).to.deep.equal([200, { message: `Task ${task.id} cancelled`, id: task.id, state: 'cancelled' }]);
      const shown = await getTask(service.baseUrl, task.id);
      expect(shown).to.include({ state: 'cancelled', run: 1, attempt, next_attempt_at: null, waiting_for: null });
      expect(timeOf(shown.finished_at)).to.be.within(before, Date.now());
      expect(shown.timeline.at(-1)).to.deep.equal({ kind: 'cancelled', cancelled_at: shown.finished_at, run: 1, by: { type: 'anonymous', id: null, name: null, operator: null } });
      expect(shown.timeline).to.have.lengthOf(sends + 1);
      expect(receiver.requestsFor(task.id)).to.have.lengthOf(sends);
    });
  }

  it('keeps a cancelled task as it does a delivered one, and starts a new run when its id is submitted again', async () => {
    const task = await submitted(waiting(), 'scheduled');
    await cancel(service.baseUrl, task.id);
    const again = await submit(service.baseUrl, { ...task, initial_delay: 0 });
    expect([again.status, again.body['run']]).to.deep.equal([201, 2]);
    expect((await waitForState(service.baseUrl, task.id, 'delivered')).run).to.equal(2);
    expect(receiver.requestsFor(task.id).map(({ headers }) => headers['x-retry-run'])).to.deep.equal(['2']);
  });

  it('removes a parked task for good', async () => {
    const task = await submitted(parking(), 'parked');
    const [shard] = await service.queue.shards();
    const isMarked = async (): Promise<boolean> => (await service.redis.zscore(shard?.keys.parked ?? '', `t-${task.id}`)) !== null;
    expect(await isMarked()).to.equal(true);
    const { status, body } = await cancel(service.baseUrl, task.id);
    expect([status, body]).to.deep.equal([200, { message: `Task ${task.id} deleted`, id: task.id, state: 'deleted' }]);
    expect((await getTaskAnswer(service.baseUrl, task.id)).status).to.equal(404);
    expect(await keysOf(task.id)).to.deep.equal([]);
    expect(await isMarked()).to.equal(false);
    expect((await cancel(service.baseUrl, task.id)).status).to.equal(404);
    const again = await submit(service.baseUrl, { ...task, initial_delay: 3_600 });
    expect([again.status, again.body['run']], 'nothing of it is left').to.deep.equal([201, 1]);
  });

  it('answers 409 being_sent, and lets the send end, while a worker has it', async () => {
    const task = httpTask(receiver.url('/slow'));
    await submitNew(service.baseUrl, task);
    await eventually(() => { expect(receiver.requestsFor(task.id)).to.have.lengthOf(1); });
    await expectRefused(cancel(service.baseUrl, task.id), 'being_sent');
    await waitForState(service.baseUrl, task.id, 'delivered');
  });

  it('answers 409 finished, and changes nothing, when it is delivered, dead-lettered or cancelled', async () => {
    const delivered = await submitted(httpTask(receiver.url('/')), 'delivered');
    const dead = await submitted(httpTask(receiver.url('/down'), { dead_destination: { url: receiver.url('/dead') } }), 'dead_lettered');
    const cancelled = await submitted(waiting(), 'scheduled');
    await cancel(service.baseUrl, cancelled.id);
    for (const { id } of [delivered, dead, cancelled]) {
      const before = await getTask(service.baseUrl, id);
      await expectRefused(cancel(service.baseUrl, id), 'finished');
      expect(await getTask(service.baseUrl, id)).to.deep.equal(before);
    }
  });

  it('answers 404 for an unknown id', async () => {
    const { status, body } = await call(service.baseUrl, '/tasks/unknown', { method: 'DELETE' });
    expect([status, body['code']]).to.deep.equal([404, 'task_not_found']);
  });

  it('cancels a task that this version cannot read', async () => {
    const task = await submitted(waiting(), 'scheduled');
    const [shard] = await service.queue.shards();
    const key = shard?.keys.job(task.id) ?? '';
    const data = await service.redis.hget(key, jobField.data);
    await service.redis.hset(key, jobField.data, JSON.stringify({ v: DATA_VERSION + 1 }));
    expect((await cancel(service.baseUrl, task.id)).status).to.equal(200);
    await service.redis.hset(key, jobField.data, data ?? '');
    expect((await getTask(service.baseUrl, task.id)).state).to.equal('cancelled');
  });

  for (const id of ['a:b/c', '%', '🚚', '123', 'wait', 'retry', '?', '#', 'a b', '__proto__']) {
    it(`finds the id ${JSON.stringify(id)}`, async () => {
      await submitNew(service.baseUrl, waiting({ id }));
      const { status, body } = await cancel(service.baseUrl, id);
      expect([status, body['id']]).to.deep.equal([200, id]);
      expect((await getTask(service.baseUrl, id)).state).to.equal('cancelled');
    });
  }
});
