import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, submitNew, waitForState, type ShownTask, type WireTask } from '../../../support/tasks.js';

describe('waiting_for of GET /tasks/:id', () => {
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
    receiver.on('/slow', { kind: 'answer', delayMs: 1_500 });
    receiver.on('/down', { kind: 'answer', status: 500 });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  async function submit(path: string, changes: Partial<WireTask> = {}): Promise<WireTask> {
    const task = httpTask(receiver.url(path), changes);
    await submitNew(service.baseUrl, task);
    return task;
  }

  /** As soon as one of the tasks says so. */
  function waitForCode(tasks: readonly WireTask[], code: string): Promise<ShownTask & { readonly waiting_for: { readonly message: string } }> {
    return eventually(async () => {
      const shown = await Promise.all(tasks.map(({ id }) => getTask(service.baseUrl, id)));
      expect(shown.map(({ waiting_for }) => waiting_for?.code)).to.include(code);
      const found = shown.find(({ waiting_for }) => waiting_for?.code === code);
      if (found === undefined || found.waiting_for === null) throw new Error('unreachable');
      return { ...found, waiting_for: found.waiting_for };
    });
  }

  function operate(method: string, name: string, action = '', body: object = {}): Promise<unknown> {
    return call(service.baseUrl, `/destinations/${encodeURIComponent(name)}${action}`, { method, headers: { 'content-type': 'application/json' }, ...(method === 'PUT' ? { body: JSON.stringify(body) } : {}) });
  }

  it('says that no worker is connected, until one is', async () => {
    const task = await submit('/hook');
    expect((await waitForCode([task], 'no_worker')).waiting_for.message).to.include('no worker is connected');
    await service.startWorker();
    await waitForState(service.baseUrl, task.id, 'delivered');
  });

  it('says that all slots are taken', async () => {
    await service.startWorker({ concurrency: 1 });
    await submit('/slow');
    await receiver.waitForRequests(1);
    const task = await submit('/hook', { flow_key: 'another' });
    expect((await waitForCode([task], 'slot')).waiting_for.message).to.match(/waits for a free slot of the 1 worker/);
  });

  it('says after which failure it waits, also while its destination is paused', async () => {
    await service.startWorker();
    const task = await submit('/down', { max_retries: 3, base_delay: 60 });
    await waitForState(service.baseUrl, task.id, 'retrying');
    await operate('POST', receiver.url(''), '/pause');
    expect((await waitForCode([task], 'backoff')).waiting_for.message).to.match(/^attempt 0 of 3 failed with http_server_error, the next one is at /);
  });

  it('says that an operator paused it, with a worker and without one', async () => {
    await operate('POST', 'tenant-7', '/pause');
    const task = await submit('/hook', { flow_key: 'tenant-7' });
    await waitForCode([task], 'paused');
    await service.startWorker();
    await eventually(async () => { expect((await getTask(service.baseUrl, task.id)).timeline.at(-1)).to.include({ reason: 'paused' }); });
    expect((await waitForCode([task], 'paused')).waiting_for.message).to.match(/^tenant-7 was paused by an operator/);
    await operate('POST', 'tenant-7', '/resume');
    await waitForState(service.baseUrl, task.id, 'delivered');
  });

  it('says so of all tasks for the cluster in KAFKA_BROKERS, also of those that name its broker; none is sent', async () => {
    await operate('POST', 'kafka://127.0.0.1:9', '/pause');
    await service.startWorker();
    const tasks = [{ topic: 'orders' }, { topic: 'orders', host: '127.0.0.1', port: 9 }].map((destination): WireTask => ({ ...httpTask(''), destination_type: 'kafka', destination, dead_destination: { topic: 'dead' } }));
    for (const task of tasks) await submitNew(service.baseUrl, task);
    for (const { id } of tasks) {
      const { waiting_for, timeline } = await eventually(async () => {
        const shown = await getTask(service.baseUrl, id);
        expect(shown.timeline).to.have.lengthOf(1);
        return shown;
      });
      expect(timeline.at(-1)).to.include({ reason: 'paused' });
      expect(waiting_for?.message).to.match(/^kafka:\/\/default was paused by an operator/);
    }
  });

  it('names the limit', async () => {
    await operate('PUT', 'tenant-7', '', { max_concurrency: 1 });
    await service.startWorker();
    const tasks = [await submit('/slow', { flow_key: 'tenant-7' }), await submit('/slow', { flow_key: 'tenant-7' })];
    expect((await waitForCode(tasks, 'limit')).waiting_for.message).to.match(/^the limit of tenant-7 is used up \(at most 1 in flight\); in line since .+, woken when there is room, and tried at .+ at the latest$/);
  });

  it('says that its destination is busy', async () => {
    await service.startWorker({ concurrency: 4 });
    const tasks = await Promise.all(Array.from({ length: 12 }, () => submit('/slow')));
    expect((await waitForCode(tasks, 'destination_busy')).waiting_for.message).to.match(/^its destination has as many sends in flight as it may have; in line since /);
  });

  it('says until when the circuit of its destination is open, also of a task that was never sent', async () => {
    await service.startWorker({ circuit: { failuresInARow: 3, baseCoolMs: 60_000 } });
    const failing = await Promise.all(Array.from({ length: 4 }, () => submit('/down', { max_retries: 9, base_delay: 0.01 })));
    await waitForCode(failing, 'circuit_open');
    const task = await submit('/down');
    const { waiting_for, next_attempt_at } = await waitForCode([task], 'circuit_open');
    const [, since = '', until = ''] = /failed again and again: its circuit is open since (\S+), the next probe is sent after (\S+)$/.exec(waiting_for.message) ?? [];
    expect(Date.parse(until) - Date.parse(since)).to.equal(60_000);
    expect(next_attempt_at).to.be.a('string');
  });

  it('says that its destination asked to be left alone', async () => {
    receiver.on('/busy', { kind: 'answer', status: 429, headers: { 'retry-after': '30' } });
    await service.startWorker();
    const first = await submit('/busy', { max_retries: 3, base_delay: 1 });
    await waitForState(service.baseUrl, first.id, 'retrying');
    // The path is known as an endpoint from its second task on. Those that are sent before that one has its answer are answered themselves, and wait for nothing.
    const later: WireTask[] = [];
    const waiting = await eventually(async () => {
      later.push(await submit('/busy'));
      const shown = await Promise.all(later.map(({ id }) => getTask(service.baseUrl, id)));
      return shown.find(({ waiting_for }) => waiting_for?.code === 'circuit_open') ?? expect.fail('none waits for the circuit');
    });
    expect(waiting.waiting_for?.message).to.include('asked to be left alone (Retry-After)');
    expect((await getTask(service.baseUrl, first.id)).waiting_for?.code).to.equal('backoff');
  });
});
