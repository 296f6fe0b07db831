import { request } from 'node:http';

import { expect } from 'chai';

import { MOST_KEPT_KEYS } from '../../../../shared/queue/engine/admit-function.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, cancel, getTask, httpTask, retryNow, submit, submitNew, uniqueId, waitForState, type Answer, type WireTask } from '../../../support/tasks.js';

interface BatchBody {
  readonly counts: Readonly<Record<string, number>>;
  readonly results: readonly Readonly<Record<string, unknown>>[];
}

for (const shards of [1, 4]) {
  describe(`Idempotency-Key, with ${shards} shard(s)`, () => {
    let service: InProcessService;
    let receiver: Receiver;

    before(async () => {
      service = await InProcessService.ready({ shards });
      receiver = await createReceiver();
      receiver.on('/fails', { kind: 'answer', status: 500 });
      await service.startWorker();
    });
    after(async () => {
      await service.close();
      await receiver.close();
    });

    function submitWith(key: string, task: WireTask): Promise<Answer> {
      return call(service.baseUrl, '/tasks', { method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': key }, body: JSON.stringify(task) });
    }

    async function batchWith(key: string, tasks: readonly WireTask[], type: 'application/json' | 'application/x-ndjson'): Promise<BatchBody> {
      const body = type === 'application/json' ? JSON.stringify(tasks) : tasks.map((task) => JSON.stringify(task)).join('\n');
      const { status, body: answer } = await call(service.baseUrl, '/tasks/batch', { method: 'POST', headers: { 'content-type': type, 'idempotency-key': key }, body });
      expect(status).to.equal(207);
      return answer as unknown as BatchBody;
    }

    function expectDuplicate({ status, body }: Answer, expected: Readonly<Record<string, unknown>>): void {
      expect(status, JSON.stringify(body)).to.equal(200);
      expect(body).to.include({ is_duplicate: true, ...expected });
    }

    const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url('/'), { initial_delay: 3_600, ...changes });

    function parking(): WireTask {
      const { dead_destination: _none, ...task } = httpTask(receiver.url('/fails'), { on_exhausted: 'park' });
      return task;
    }

    it('is not needed: a repeated request is told of the task that is there, and says that it is one', async () => {
      const task = waiting();
      expect((await submitNew(service.baseUrl, task)).body).to.include({ is_duplicate: false });
      expectDuplicate(await submit(service.baseUrl, task), { state: 'scheduled', run: 1 });
    });

    it('keeps a repeated request from beginning another run when the task was delivered meanwhile', async () => {
      const task = httpTask(receiver.url('/'));
      expect((await submitWith('k-1', task)).status).to.equal(201);
      await waitForState(service.baseUrl, task.id, 'delivered');
      for (const message of [`Task ${task.id} was submitted with this Idempotency-Key before, and is delivered`]) {
        expectDuplicate(await submitWith('k-1', task), { message, id: task.id, state: 'delivered', run: 1, next_attempt_at: null });
      }
      await submitNew(service.baseUrl, waiting());
      expect(receiver.requestsFor(task.id)).to.have.lengthOf(1);
    });

    it('begins a new run of a task that has ended for another key, and for none', async () => {
      const task = httpTask(receiver.url('/'));
      await submitWith('k-1', task);
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect((await submitWith('k-2', task)).body).to.include({ run: 2, is_duplicate: false });
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect((await submit(service.baseUrl, task)).body).to.include({ run: 3, is_duplicate: false });
      await waitForState(service.baseUrl, task.id, 'delivered');
    });

    it('begins no run for the late repeat of a request whose run has ended, and another request has begun the next one since', async () => {
      const task = httpTask(receiver.url('/'));
      await submitWith('k-1', task);
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect((await submitWith('k-2', task)).body).to.include({ run: 2, is_duplicate: false });
      await waitForState(service.baseUrl, task.id, 'delivered');
      expect((await submit(service.baseUrl, task)).body).to.include({ run: 3, is_duplicate: false });
      await waitForState(service.baseUrl, task.id, 'delivered');
      for (const key of ['k-1', 'k-2']) expectDuplicate(await submitWith(key, task), { state: 'delivered', run: 3 });
      expect((await submitWith('k-3', task)).body).to.include({ run: 4, is_duplicate: false });
    });

    it('tells what has become of the task: dead-lettered, parked, cancelled, or started again', async () => {
      const dead = httpTask(receiver.url('/fails'), { dead_destination: { url: receiver.url('/dead') } });
      const parked = parking();
      const cancelled = waiting();
      for (const task of [dead, parked, cancelled]) expect((await submitWith('k', task)).status).to.equal(201);
      await waitForState(service.baseUrl, dead.id, 'dead_lettered');
      await waitForState(service.baseUrl, parked.id, 'parked');
      await cancel(service.baseUrl, cancelled.id);
      expectDuplicate(await submitWith('k', dead), { state: 'dead_lettered', run: 1 });
      expectDuplicate(await submitWith('k', parked), { state: 'parked', run: 1 });
      expectDuplicate(await submitWith('k', cancelled), { state: 'cancelled', run: 1 });
      await retryNow(service.baseUrl, dead.id);
      await waitForState(service.baseUrl, dead.id, 'dead_lettered');
      expectDuplicate(await submitWith('k', dead), { state: 'dead_lettered', run: 2 });
    });

    it('refuses the same key with other content, whatever has become of the task, and changes nothing', async () => {
      const live = waiting();
      const delivered = httpTask(receiver.url('/'));
      const parked = parking();
      for (const task of [live, delivered, parked]) await submitWith('k', task);
      await waitForState(service.baseUrl, delivered.id, 'delivered');
      await waitForState(service.baseUrl, parked.id, 'parked');
      for (const [task, code] of [[live, 'conflict'], [delivered, 'conflict'], [parked, 'parked']] as const) {
        const { status, body } = await submitWith('k', { ...task, message_data: 'other' });
        expect([status, body['code']], JSON.stringify(body)).to.deep.equal([409, code]);
        expect((await getTask(service.baseUrl, task.id, '?include=message_data')).message_data).to.equal(task.message_data);
      }
    });

    it('names edit, retry and delete to those who send a parked id again with other content', async () => {
      const task = parking();
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'parked');
      const { status, body } = await submit(service.baseUrl, { ...task, message_data: 'mended' });
      expect([status, body['code']]).to.deep.equal([409, 'parked']);
      for (const way of ['PATCH', 'retry', 'DELETE']) expect(body['error']).to.include(way);
      expect((await cancel(service.baseUrl, task.id)).status).to.equal(200);
      expect((await submit(service.baseUrl, { ...task, message_data: 'mended' })).body).to.include({ run: 1, is_duplicate: false });
    });

    it('is also kept by a run that another request has begun, when it was told of it', async () => {
      const task = httpTask(receiver.url('/'), { initial_delay: 3_600 });
      await submitNew(service.baseUrl, task);
      expectDuplicate(await submitWith('first', task), { state: 'scheduled' });
      expectDuplicate(await submitWith('second', task), { state: 'scheduled' });
      await retryNow(service.baseUrl, task.id);
      await waitForState(service.baseUrl, task.id, 'delivered');
      for (const key of ['first', 'second']) expectDuplicate(await submitWith(key, task), { state: 'delivered', run: 1 });
    });

    it('keeps a bounded number of keys: the one that began the run, and the newest ones, however long they are', async () => {
      const task = waiting();
      const keys = Array.from({ length: MOST_KEPT_KEYS + 20 }, (_, nth) => `${nth}-`.padEnd(128, 'x'));
      for (const key of keys) await submitWith(key, task);
      const shards = await service.queue.shards();
      const kept = await Promise.all(shards.map(({ keys }) => service.redis.hget(keys.job(task.id), jobField.idempotencyKeys)));
      expect(kept.find((each) => each !== null)?.length).to.equal(MOST_KEPT_KEYS * 16);
      await retryNow(service.baseUrl, task.id);
      await waitForState(service.baseUrl, task.id, 'delivered');
      const [first = '', ...others] = keys;
      for (const key of [first, ...others.slice(1 - MOST_KEPT_KEYS)]) expectDuplicate(await submitWith(key, task), { state: 'delivered', run: 1 });
      expect((await submitWith(others[0] ?? '', task)).body, 'the oldest of the others').to.include({ run: 2, is_duplicate: false });
    });

    it('stores nothing more for a task without one', async () => {
      const task = waiting();
      await submitNew(service.baseUrl, task);
      const shards = await service.queue.shards();
      const fields = (await Promise.all(shards.map(({ keys }) => service.redis.hkeys(keys.job(task.id))))).flat();
      expect(fields).to.include(jobField.data).and.not.include(jobField.idempotencyKeys);
    });

    it('begins one run for a hundred requests at once, during the task and after it', async () => {
      const task = httpTask(receiver.url('/'));
      const first = await Promise.all(Array.from({ length: 100 }, () => submitWith('k', task)));
      expect(first.filter(({ status }) => status === 201)).to.have.lengthOf(1);
      await waitForState(service.baseUrl, task.id, 'delivered');
      const second = await Promise.all(Array.from({ length: 100 }, () => submitWith('k', task)));
      for (const answer of second) expectDuplicate(answer, { run: 1 });
      expect(receiver.requestsFor(task.id)).to.have.lengthOf(1);
    });

    for (const type of ['application/json', 'application/x-ndjson'] as const) {
      it(`counts for each task of a batch together with its id (${type})`, async () => {
        const tasks = Array.from({ length: 5 }, () => httpTask(receiver.url('/')));
        const key = uniqueId('batch');
        // The first attempt at it was cut off behind three tasks.
        expect((await batchWith(key, tasks.slice(0, 3), type)).counts).to.include({ created: 3 });
        for (const { id } of tasks.slice(0, 3)) await waitForState(service.baseUrl, id, 'delivered');
        const { counts, results } = await batchWith(key, tasks, type);
        expect(counts).to.include({ created: 2, already_scheduled: 3 });
        expect(results.map(({ status, is_duplicate: isDuplicate, run }) => [status, isDuplicate, run])).to.deep.equal([...tasks.slice(0, 3).map(() => [200, true, 1]), ...tasks.slice(3).map(() => [201, false, 1])]);
        for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
        for (const { id } of tasks) expect(receiver.requestsFor(id)).to.have.lengthOf(1);
        // As if it had been sent alone.
        expectDuplicate(await submitWith(key, tasks[0] ?? waiting()), { state: 'delivered' });
      });
    }

    /** fetch joins headers of one name, and refuses some characters. */
    function statusWith(values: readonly string[], path: string): Promise<number | undefined> {
      const { hostname, port } = new URL(service.baseUrl);
      const headers = ['Host', `${hostname}:${port}`, 'Content-Type', 'application/json', ...values.flatMap((value) => ['Idempotency-Key', value])];
      const body = path === '/tasks' ? JSON.stringify(waiting()) : JSON.stringify([waiting()]);
      return new Promise((resolve, reject) => {
        const sent = request({ hostname, port, path, method: 'POST', headers: [...headers, 'Content-Length', String(Buffer.byteLength(body))] }, (response) => {
          response.resume();
          response.on('end', () => { resolve(response.statusCode); });
        });
        sent.on('error', reject);
        sent.end(body);
      });
    }

    for (const [values, isTaken] of [
      [['a'], true],
      [['x'.repeat(128)], true],
      [['"quoted, with a comma"'], true],
      [['x'.repeat(129)], false],
      [[''], false],
      [['   '], false],
      [['a', 'a'], false],
      [['a', 'b'], false],
      [['\u00e9'], false],
      [['a\tb'], false],
    ] as const) {
      it(`${isTaken ? 'takes' : 'refuses'} ${JSON.stringify(values).slice(0, 40)}`, async () => {
        expect(await statusWith(values, '/tasks')).to.equal(isTaken ? 201 : 400);
        expect(await statusWith(values, '/tasks/batch')).to.equal(isTaken ? 207 : 400);
      });
    }
  });
}
