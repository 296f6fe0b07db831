import { Agent, request } from 'node:http';

import { expect } from 'chai';

import { DATA_VERSION } from '../../../../shared/queue/tasks/task-codec.js';
import { eventually } from '../../../support/eventually.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, cancel, getTask, httpTask, retryNow, submitNew, timeOf, uniqueId, waitForState, type Answer, type WireTask } from '../../../support/tasks.js';

const HOUR_MS = 3_600_000;

describe('POST /tasks/:id/retry', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = true;
    service = await InProcessService.ready({ dead: { attempts: 2, baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS } });
    receiver = await createReceiver();
    receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 500 : 200 }));
    receiver.on('/slow', { kind: 'answer', delayMs: 300 });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url('/hook'), { initial_delay: 3_600, ...changes });

  async function submitted(task: WireTask, state: Parameters<typeof waitForState>[2]): Promise<WireTask> {
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, state);
    return task;
  }

  /** Started now: the answer says so. */
  async function expectSent(id: string, expected: { readonly state: string; readonly run: number; readonly status?: number }): Promise<void> {
    const { status = 202, ...body } = expected;
    const before = Date.now();
    const answer = await retryNow(service.baseUrl, id);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(status);
    expect(answer.body).to.deep.include({ id, ...body });
    expect(answer.body).to.have.all.keys('message', 'id', 'state', 'run', 'next_attempt_at');
    expect(timeOf(answer.body['next_attempt_at'])).to.be.within(before, Date.now());
  }

  async function expectRefused(answer: Promise<Answer>, code: string): Promise<void> {
    const { status, body } = await answer;
    expect([status, body['code']]).to.deep.equal([409, code]);
    expect(body['error']).to.be.a('string').and.not.equal('');
  }

  it('goes past no pause: the task is due, which is all that the answer says, and waits for the resume', async () => {
    isDown = false;
    const destination = `/destinations/${encodeURIComponent(new URL(receiver.url('/')).origin)}`;
    expect((await call(service.baseUrl, `${destination}/pause`, { method: 'POST' })).status).to.equal(200);
    // Only now, so that it knows of the pause from its start.
    await service.startWorker();
    const task = await submitted(waiting(), 'scheduled');
    expect((await retryNow(service.baseUrl, task.id)).body).to.deep.include({ message: `Task ${task.id} is due now` });
    await eventually(async () => { expect((await getTask(service.baseUrl, task.id)).waiting_for).to.deep.include({ code: 'paused' }); });
    expect(receiver.requestsFor(task.id)).to.deep.equal([]);
    expect((await call(service.baseUrl, `${destination}/resume`, { method: 'POST' })).status).to.equal(200);
    await waitForState(service.baseUrl, task.id, 'delivered');
  });

  it('sends a scheduled task now, as its first attempt', async () => {
    isDown = false;
    await service.startWorker();
    const task = await submitted(waiting(), 'scheduled');
    await expectSent(task.id, { state: 'scheduled', run: 1 });
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([`${task.id}|0`]);
  });

  it('sends a retrying task now: the attempt that was due later, and no attempt more', async () => {
    await service.startWorker();
    const task = await submitted(httpTask(receiver.url('/hook'), { max_retries: 2, base_delay: 3_600 }), 'retrying');
    await expectSent(task.id, { state: 'retrying', run: 1 });
    await eventually(async () => { expect((await getTask(service.baseUrl, task.id)).attempt).to.equal(2); });
    isDown = false;
    await expectSent(task.id, { state: 'retrying', run: 1 });
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([0, 1, 2].map((attempt) => `${task.id}|${attempt}`));
  });

  it('sends a dead letter that waits for its next try now', async () => {
    await service.startWorker();
    receiver.on('/dead', (_request, nth) => ({ kind: 'answer', status: nth === 1 ? 500 : 200 }));
    const task = await submitted(httpTask(receiver.url('/hook'), { dead_destination: { url: receiver.url('/dead') } }), 'dead_lettering');
    await eventually(async () => { expect((await getTask(service.baseUrl, task.id)).waiting_for?.code).to.equal('dead_backoff'); });
    await expectSent(task.id, { state: 'dead_lettering', run: 1 });
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(receiver.requestsTo('/dead')).to.have.lengthOf(2);
  });

  it('keeps the priority, and answers 200 to a task that is due already', async () => {
    // No worker: what is due waits for a slot.
    const normal = await submitted(waiting(), 'scheduled');
    const urgent = await submitted(waiting({ is_priority: true }), 'scheduled');
    for (const { id } of [normal, urgent]) {
      await expectSent(id, { state: 'scheduled', run: 1 });
      const shown = await getTask(service.baseUrl, id);
      expect(timeOf(shown.next_attempt_at), 'not the time it was submitted for').to.be.at.most(Date.now());
      expect(shown.waiting_for?.code).to.equal('no_worker');
      await expectSent(id, { state: 'scheduled', run: 1, status: 200 });
    }
    isDown = false;
    await service.startWorker({ concurrency: 1 });
    await waitForState(service.baseUrl, normal.id, 'delivered');
    expect(receiver.requests.map(({ taskId }) => taskId)).to.deep.equal([urgent.id, normal.id]);
  });

  it('answers 409 being_sent while a worker has it', async () => {
    await service.startWorker();
    const task = httpTask(receiver.url('/slow'));
    await submitNew(service.baseUrl, task);
    await eventually(() => { expect(receiver.requestsFor(task.id)).to.have.lengthOf(1); });
    await expectRefused(retryNow(service.baseUrl, task.id), 'being_sent');
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsFor(task.id)).to.have.lengthOf(1);
  });

  it('answers 409 finished to a delivered and to a cancelled task', async () => {
    isDown = false;
    await service.startWorker();
    const delivered = await submitted(httpTask(receiver.url('/hook')), 'delivered');
    const cancelled = await submitted(waiting(), 'scheduled');
    await cancel(service.baseUrl, cancelled.id);
    for (const { id } of [delivered, cancelled]) {
      const before = await getTask(service.baseUrl, id);
      await expectRefused(retryNow(service.baseUrl, id), 'finished');
      expect(await getTask(service.baseUrl, id)).to.deep.equal(before);
    }
  });

  it('starts dead letters and parked tasks again as the next run, with all their retries', async () => {
    await service.startWorker();
    const dead = await submitted(httpTask(receiver.url('/hook'), { max_retries: 1, base_delay: 0.01, dead_destination: { url: receiver.url('/dead') } }), 'dead_lettered');
    const { dead_destination: _none, ...parking } = httpTask(receiver.url('/hook'), { id: uniqueId('parked'), max_retries: 1, base_delay: 0.01, on_exhausted: 'park' });
    const parked = await submitted(parking, 'parked');
    const sends = receiver.requests.length;
    for (const { id } of [dead, parked]) await expectSent(id, { state: 'scheduled', run: 2 });
    await waitForState(service.baseUrl, dead.id, 'dead_lettered');
    await waitForState(service.baseUrl, parked.id, 'parked');
    const again = receiver.requests.slice(sends);
    expect(again.map(({ key }) => key)).to.have.members([`${dead.id}|0`, `${dead.id}|1`, `${dead.id}|dead|2`, `${parked.id}|0`, `${parked.id}|1`]);
    expect(new Set(again.map(({ headers }) => headers['x-retry-run']))).to.deep.equal(new Set(['2']));
  });

  it('starts a task anew whatever it died of: with all retries, no stalls, and nothing of its first life in what is shown', async () => {
    // No circuit counts it.
    receiver.on('/hook', { kind: 'answer', status: 404 });
    await service.startWorker();
    const parking = (): WireTask => {
      const { dead_destination: _none, ...task } = waiting({ id: uniqueId('parked'), max_retries: 2, base_delay: 0.01, on_exhausted: 'park' });
      return task;
    };
    const tasks = { exhausted: parking(), poison: parking(), dead: waiting({ max_retries: 2, base_delay: 0.01, dead_destination: { url: receiver.url('/dead') } }) };
    for (const task of Object.values(tasks)) await submitNew(service.baseUrl, task);
    const [shard] = await service.queue.shards();
    // As if twelve workers had died with it.
    await service.redis.hset(shard?.keys.job(tasks.poison.id) ?? '', jobField.stalls, 12);
    for (const { id } of Object.values(tasks)) await retryNow(service.baseUrl, id);
    for (const [id, state] of [[tasks.exhausted.id, 'parked'], [tasks.poison.id, 'parked'], [tasks.dead.id, 'dead_lettered']] as const) await waitForState(service.baseUrl, id, state);
    expect((await getTask(service.baseUrl, tasks.poison.id)).dead_reason).to.equal('poison');
    let goOn: () => void = () => undefined;
    const after = new Promise<void>((resolve) => (goOn = resolve));
    const failed = new Set<string>();
    receiver.on('/hook', ({ taskId }) => {
      const isFirst = !failed.has(taskId);
      failed.add(taskId);
      return { kind: 'answer', status: isFirst ? 404 : 200, after };
    });
    for (const { id } of Object.values(tasks)) {
      const sends = receiver.requestsFor(id).length;
      await expectSent(id, { state: 'scheduled', run: 2 });
      await eventually(async () => {
        const shown = await getTask(service.baseUrl, id);
        expect(shown).to.deep.include({ state: 'delivering', phase: 'delivery', attempt: 0, finished_at: null, dead_reason: null });
        expect(receiver.requestsFor(id)).to.have.lengthOf(sends + 1);
      });
      const hash = await service.redis.hgetall(shard?.keys.job(id) ?? '');
      for (const field of [jobField.failure, jobField.stalls, jobField.finishedAt, jobField.failedReason]) expect(hash, field).to.not.have.property(field);
    }
    goOn();
    for (const { id } of Object.values(tasks)) {
      const shown = await waitForState(service.baseUrl, id, 'delivered');
      expect(shown).to.include({ attempt: 1, run: 2, dead_reason: null });
    }
  });

  it('raises the run by one when it is asked ten times at once', async () => {
    await service.startWorker();
    const dead = await submitted(httpTask(receiver.url('/hook'), { dead_destination: { url: receiver.url('/dead') } }), 'dead_lettered');
    receiver.on('/hook', { kind: 'answer', delayMs: 300 });
    const answers = await Promise.all(Array.from({ length: 10 }, () => retryNow(service.baseUrl, dead.id)));
    expect(answers.filter(({ status }) => status === 202)).to.have.lengthOf(1);
    // The others saw it due, or being sent.
    for (const { status, body } of answers) expect([200, 202, 409], JSON.stringify(body)).to.include(status);
    expect((await waitForState(service.baseUrl, dead.id, 'delivered')).run).to.equal(2);
    expect(receiver.requestsFor(dead.id)).to.have.lengthOf(3);
  });

  it('answers 404 for an unknown id', async () => {
    const { status, body } = await call(service.baseUrl, '/tasks/unknown/retry', { method: 'POST' });
    expect([status, body['code']]).to.deep.equal([404, 'task_not_found']);
  });

  it('sends a task that this version cannot read to a worker that can', async () => {
    const task = await submitted(waiting(), 'scheduled');
    const [shard] = await service.queue.shards();
    const key = shard?.keys.job(task.id) ?? '';
    const data = await service.redis.hget(key, jobField.data);
    await service.redis.hset(key, jobField.data, JSON.stringify({ v: DATA_VERSION + 1 }));
    await expectSent(task.id, { state: 'scheduled', run: 1 });
    await service.redis.hset(key, jobField.data, data ?? '');
    isDown = false;
    await service.startWorker();
    await waitForState(service.baseUrl, task.id, 'delivered');
  });

  for (const id of ['a:b/c', '%', '🚚', '123', 'wait', 'retry', '?', '#']) {
    it(`finds the id ${JSON.stringify(id)}`, async () => {
      await submitNew(service.baseUrl, waiting({ id }));
      await expectSent(id, { state: 'scheduled', run: 1 });
    });
  }

  it('refuses a body that is no reason, and leaves the connection usable', async () => {
    const task = await submitted(waiting(), 'scheduled');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (method: string, path: string, body: string): Promise<{ status: number | undefined; reused: boolean }> =>
      new Promise((resolve, reject) => {
        const sent = request(`${service.baseUrl}${path}`, { method, agent, headers: { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) } }, (response) => {
          response.resume();
          response.on('end', () => { resolve({ status: response.statusCode, reused: sent.reusedSocket }); });
        });
        sent.on('error', reject);
        sent.end(body);
      });
    try {
      expect(await ask('POST', `/tasks/${task.id}/retry`, 'no JSON '.repeat(8_000))).to.deep.equal({ status: 415, reused: false });
      expect(await ask('DELETE', `/tasks/${task.id}`, 'no JSON '.repeat(8_000))).to.deep.equal({ status: 400, reused: true });
      expect(await ask('GET', `/tasks/${task.id}`, '')).to.deep.equal({ status: 200, reused: true });
    } finally {
      agent.destroy();
    }
  });
});
