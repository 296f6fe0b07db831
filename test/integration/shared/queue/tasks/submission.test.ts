import { expect } from 'chai';

import { eventually } from '../../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { getTask, httpTask, submit, submitNew, timeOf, uniqueId, waitForState, type Answer, type WireTask } from '../../../../support/tasks.js';

/** How many answers there were of each status. */
function countStatuses(answers: readonly Answer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe('submitting the same id again', () => {
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
    receiver.on('/fails', { kind: 'answer', status: 500 });
    receiver.on('/slow', { kind: 'answer', delayMs: 300 });
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  /** A task that waits for an hour. */
  const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url('/'), { initial_delay: 3_600, ...changes });

  /** Has a task end in this state. */
  async function finished(state: 'delivered' | 'dead_lettered' | 'parked'): Promise<WireTask> {
    const { dead_destination: dead, ...task } = httpTask(receiver.url(state === 'delivered' ? '/' : '/fails'), { dead_destination: { url: receiver.url('/dead') } });
    const whole: WireTask = state === 'parked' ? { ...task, on_exhausted: 'park' } : { ...task, ...(dead === undefined ? {} : { dead_destination: dead }) };
    await submitNew(service.baseUrl, whole);
    await waitForState(service.baseUrl, whole.id, state);
    return whole;
  }

  it('answers 201 for a new one, with when it is due', async () => {
    const before = Date.now();
    const task = waiting();
    const { status, body } = await submit(service.baseUrl, task);
    expect(status).to.equal(201);
    expect(body).to.deep.include({ message: `Task ${task.id} scheduled successfully`, id: task.id, state: 'scheduled', run: 1 });
    expect(timeOf(body['next_attempt_at'])).to.be.within(before + 3_600_000, Date.now() + 3_600_000);
    expect((await getTask(service.baseUrl, task.id)).next_attempt_at).to.equal(body['next_attempt_at']);
  });

  it('answers 200 and changes nothing while a task with the same content waits', async () => {
    const task = waiting();
    const first = await submitNew(service.baseUrl, task);
    const { status, body } = await submit(service.baseUrl, task);
    expect(status).to.equal(200);
    expect(body).to.deep.include({ message: `Task ${task.id} is already scheduled`, id: task.id, state: 'scheduled', run: 1, next_attempt_at: first.body['next_attempt_at'] });
  });

  it('takes a task for the same when only defaults are written out, a legacy field is added, or keys stand in another order', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    const written = { on_exhausted: 'dead_letter', is_priority: false, max_delay: 86_400, dead_destination_type: 'http', ...task, attempt: 3 } as const;
    expect((await submit(service.baseUrl, Object.fromEntries(Object.entries(written).toReversed()) as unknown as WireTask)).status).to.equal(200);
  });

  it('answers 200 while a task with the same content is being sent', async () => {
    const task = httpTask(receiver.url('/slow'));
    await submitNew(service.baseUrl, task);
    await eventually(() => { expect(receiver.requestsFor(task.id)).to.have.lengthOf(1); });
    const { status, body } = await submit(service.baseUrl, task);
    expect(status).to.equal(200);
    expect(body).to.deep.include({ state: 'delivering', next_attempt_at: null });
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsFor(task.id)).to.have.lengthOf(1);
  });

  it('answers 409 and changes nothing while a task with other content is live', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    for (const other of [{ ...task, message_data: 'other' }, { ...task, max_retries: 1 }, { ...task, is_priority: true }]) {
      const { status, body } = await submit(service.baseUrl, other);
      expect(status).to.equal(409);
      expect(body['code']).to.equal('conflict');
    }
    expect(await getTask(service.baseUrl, task.id, '?include=message_data')).to.include({ message_data: task.message_data, run: 1 });
  });

  for (const state of ['delivered', 'dead_lettered'] as const) {
    it(`starts a new run after the task was ${state}, with the same content or other`, async () => {
      const task = await finished(state);
      const second = await submit(service.baseUrl, task);
      expect([second.status, second.body['run']]).to.deep.equal([201, 2]);
      await waitForState(service.baseUrl, task.id, state);
      const third = await submit(service.baseUrl, { ...task, message_data: 'other' });
      expect([third.status, third.body['run']]).to.deep.equal([201, 3]);
      const { run } = await waitForState(service.baseUrl, task.id, state);
      expect(run).to.equal(3);
      const sent = receiver.requestsFor(task.id).map(({ headers }) => headers['x-retry-run']);
      expect([...new Set(sent)]).to.deep.equal(['1', '2', '3']);
    });
  }

  it('answers 409 after the task was parked, and keeps the parked copy', async () => {
    const task = await finished('parked');
    for (const again of [task, { ...task, message_data: 'other' }]) {
      const { status, body } = await submit(service.baseUrl, again);
      expect([status, body['code']]).to.deep.equal([409, 'parked']);
    }
    expect(await getTask(service.baseUrl, task.id, '?include=message_data')).to.include({ state: 'parked', run: 1, message_data: task.message_data });
  });

  it('takes a dead letter whose id is in the set of parked ones by mistake for what it is', async () => {
    const task = await finished('dead_lettered');
    const [shard] = await service.queue.shards();
    await service.redis.zadd(shard?.keys.parked ?? '', Date.now(), `t-${task.id}`);
    expect((await getTask(service.baseUrl, task.id)).state).to.equal('dead_lettered');
    expect((await submit(service.baseUrl, { ...task, initial_delay: 3_600 })).status).to.equal(201);
    expect(await service.redis.zscore(shard?.keys.parked ?? '', `t-${task.id}`)).to.equal(null);
  });

  it('creates exactly one task from 100 submissions at once, whatever their content', async () => {
    const task = waiting();
    const answers = await Promise.all(Array.from({ length: 100 }, () => submit(service.baseUrl, task)));
    expect(countStatuses(answers)).to.deep.equal({ 201: 1, 200: 99 });

    const id = uniqueId();
    const different = await Promise.all(Array.from({ length: 100 }, (_, index) => submit(service.baseUrl, waiting({ id, message_data: `message ${index}` }))));
    expect(countStatuses(different)).to.deep.equal({ 201: 1, 409: 99 });
    const winner = different.findIndex(({ status }) => status === 201);
    expect(await getTask(service.baseUrl, id, '?include=message_data')).to.include({ message_data: `message ${winner}` });
  });

  it('creates exactly one new run from 100 submissions at once after the delivery', async () => {
    const task = await finished('delivered');
    const again = { ...task, initial_delay: 3_600 };
    const answers = await Promise.all(Array.from({ length: 100 }, () => submit(service.baseUrl, again)));
    expect(countStatuses(answers)).to.deep.equal({ 201: 1, 200: 99 });
    expect(await getTask(service.baseUrl, task.id)).to.include({ state: 'scheduled', run: 2 });
  });
});

for (const shards of [1, 4]) {
  describe(`ids that are awkward, with ${shards} shard(s)`, () => {
    let service: InProcessService;
    let receiver: Receiver;

    before(async () => {
      receiver = await createReceiver();
      service = await InProcessService.ready({ shards });
      await service.startWorker();
    });
    after(async () => {
      await service.close();
      await receiver.close();
    });

    for (const id of ['wait', 'meta', 'id', '123', '0', '-1', 'a:b/c', 'a:b:c', '🚚', '%', '%25', '%zz', '%2e', '.a', '...', 'a b', '?', '#', 'ü', '__proto__', 't-1', '"', 'x'.repeat(255), '🚚'.repeat(255)]) {
      it(`${JSON.stringify(id.length > 40 ? `${id.slice(0, 4)}... (${id.length} units)` : id)} is delivered, found, and its own`, async () => {
        const task = httpTask(receiver.url('/'), { id, message_data: JSON.stringify(id) });
        await submitNew(service.baseUrl, task);
        const shown = await waitForState(service.baseUrl, id, 'delivered');
        expect(shown.id).to.equal(id);
        const [request, ...more] = receiver.requestsFor(id);
        expect(more).to.deep.equal([]);
        expect([request?.key, request?.body.toString()]).to.deep.equal([`${id}|0`, task.message_data]);
      });
    }
  });
}
