import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { PrivateRedis } from '../support/redis.js';
import { Service } from '../support/service.js';
import { call, getTask, httpTask, submit, submitNew, uniqueId, waitForState, type WireTask } from '../support/tasks.js';

describe('e2e: workers', () => {
  let receiver: Receiver;
  const services: Service[] = [];

  beforeEach(async () => {
    receiver = await createReceiver();
  });
  afterEach(async () => {
    await receiver.close();
    await Promise.all(services.splice(0).map((service) => service.close()));
  });

  async function start(...options: Parameters<typeof Service.start>): Promise<Service> {
    const service = await Service.start(...options);
    services.push(service);
    return service;
  }

  function tasks(count: number, changes: Partial<WireTask> = {}): WireTask[] {
    return Array.from({ length: count }, (_, index) => httpTask(receiver.url('/hook'), { id: uniqueId(`n${index}`), ...changes }));
  }

  async function submitAll(service: Service, all: readonly WireTask[]): Promise<void> {
    await Promise.all(all.map((task) => submitNew(service.baseUrl, task)));
  }

  it('never deliver one task twice between them', async () => {
    const service = await start({ workers: 2 });
    const all = tasks(500);
    await submitAll(service, all);
    await receiver.waitForRequests(500, { withinMs: 20_000 });
    // A marker behind them: when it has come, a second delivery of any of them would have come, too.
    const [marker] = tasks(1);
    if (marker === undefined) throw new Error('no marker');
    await submitAll(service, [marker]);
    await waitForState(service.baseUrl, marker.id, 'delivered');
    const ids = receiver.requests.map(({ taskId }) => taskId);
    expect(new Set(ids).size).to.equal(501);
    expect(ids.length).to.equal(501);
    const names = new Set((await Promise.all(all.slice(0, 100).map(({ id }) => getTask(service.baseUrl, id)))).map(({ timeline }) => timeline[0]?.worker));
    expect(names.size, 'both workers took part').to.equal(2);
  });

  it('create and deliver one task for 100 submissions of one id at once', async () => {
    const service = await start();
    const task = httpTask(receiver.url('/hook'), { initial_delay: 4 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => submit(service.baseUrl, task)));
    expect(answers.filter(({ status }) => status === 201).length).to.equal(1);
    expect(answers.filter(({ status }) => status === 200).length).to.equal(99);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsFor(task.id).length).to.equal(1);
  });

  it('send what is due and has priority first', async () => {
    const service = await start({ settings: { WORKER_CONCURRENCY: '1' } });
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => { open = resolve; });
    receiver.on('/gate', () => ({ kind: 'answer', after: opened }));
    // Holds the only slot until all others are due.
    const gate = httpTask(receiver.url('/gate'));
    await submitNew(service.baseUrl, gate);
    await receiver.waitForRequests(1, { path: '/gate' });
    const normal = tasks(20);
    const urgent = tasks(5, { is_priority: true });
    await submitAll(service, normal);
    await submitAll(service, urgent);
    open();
    await receiver.waitForRequests(26, { withinMs: 15_000 });
    const order = receiver.requestsTo('/hook').map(({ taskId }) => taskId);
    expect(new Set(order.slice(0, 5))).to.deep.equal(new Set(urgent.map(({ id }) => id)));
    expect(order.slice(5)).to.have.members(normal.map(({ id }) => id));
  });

  it('take a burst of large messages; one that Redis had no time for is taken when it is sent again', async () => {
    const service = await start({ workers: 0 });
    const all = tasks(100, { message_data: 'x'.repeat(1_048_576), initial_delay: 3_600 });
    // On a crowded machine 100 MiB may take longer than the API waits for Redis.
    await Promise.all(
      all.map((task) =>
        eventually(async () => {
          const { status, body } = await submit(service.baseUrl, task);
          if (status === 503) expect(body).to.include({ code: 'redis_unavailable' });
          expect(status).to.be.oneOf([200, 201]);
        }, { withinMs: 20_000 }),
      ),
    );
    const { counts } = (await call(service.baseUrl, '/stats')).body as { counts: { waiting: number } };
    expect(counts.waiting).to.equal(all.length);
  });

  it('finish what is in flight when told to stop', async () => {
    const service = await start({ workers: 0 });
    const worker = await service.startWorker();
    receiver.on('/hook', () => ({ kind: 'answer', delayMs: 1_000 }));
    const all = tasks(100);
    await submitAll(service, all);
    await receiver.waitForRequests(100, { withinMs: 10_000 });
    expect(await worker.stop()).to.equal(0);
    for (const { id } of all) expect((await getTask(service.baseUrl, id)).state).to.equal('delivered');
    expect(receiver.requests.length).to.equal(100);
  });

  it('give back uncounted what cannot finish in time, and exit 0 within SHUTDOWN_TIMEOUT', async () => {
    const service = await start({ workers: 0 });
    const worker = await service.startWorker({ SHUTDOWN_TIMEOUT: '3s' });
    let isSlow = true;
    receiver.on('/hook', () => (isSlow ? { kind: 'hang' } : { kind: 'answer' }));
    const all = tasks(100, { max_retries: 0 });
    await submitAll(service, all);
    await receiver.waitForRequests(100, { withinMs: 10_000 });
    const toldAt = Date.now();
    expect(await worker.stop()).to.equal(0);
    expect(Date.now() - toldAt).to.be.at.most(3_000 + 2_000);
    isSlow = false;
    await service.startWorker();
    for (const { id } of all) {
      const done = await waitForState(service.baseUrl, id, 'delivered');
      // max_retries is 0: an attempt charged for the shutdown would have ended it.
      expect(done.timeline.map(({ attempt, outcome }) => [attempt, outcome])).to.deep.equal([[0, 'delivered']]);
    }
  });

  it('take over from one that was killed, without using up an attempt', async () => {
    const quick = { LOCK_DURATION: '1s', STALL_CHECK_INTERVAL: '500ms' };
    const service = await start({ workers: 0, settings: quick });
    const victim = await service.startWorker();
    let isSlow = true;
    receiver.on('/hook', () => (isSlow ? { kind: 'hang' } : { kind: 'answer' }));
    const all = tasks(20, { max_retries: 0 });
    await submitAll(service, all);
    await receiver.waitForRequests(20);
    await victim.kill();
    isSlow = false;
    await service.startWorker();
    for (const { id } of all) {
      const done = await waitForState(service.baseUrl, id, 'delivered', { withinMs: 15_000 });
      expect(done.timeline.map(({ attempt, outcome }) => [attempt, outcome])).to.deep.equal([[0, 'delivered']]);
    }
  });

  it('deliver what waited in a Redis that was restarted', async () => {
    const redis = await PrivateRedis.start(['--appendonly', 'yes', '--appendfsync', 'always']);
    try {
      const service = await start({ redis: redis.address });
      const all = tasks(50, { initial_delay: 2 });
      await submitAll(service, all);
      await redis.kill();
      const refused = await submit(service.baseUrl, httpTask(receiver.url('/hook')));
      expect(refused.status).to.equal(503);
      expect(refused.headers.get('retry-after')).to.match(/^\d+$/);
      await redis.restart();
      await eventually(() => expect(new Set(receiver.requests.map(({ taskId }) => taskId)).size).to.equal(50), { withinMs: 20_000 });
      for (const { id } of all) await waitForState(service.baseUrl, id, 'delivered');
      await services.pop()?.close();
    } finally {
      await redis.close();
    }
  });

  it('resume when Redis comes back after workers and API were started without it', async () => {
    const redis = await PrivateRedis.stopped();
    try {
      const starting = start({ redis: redis.address });
      starting.catch(() => undefined); // awaited below
      await redis.restart();
      const service = await starting;
      const [task] = tasks(1);
      if (task === undefined) throw new Error('no task');
      await eventually(() => submitNew(service.baseUrl, task));
      await waitForState(service.baseUrl, task.id, 'delivered');
      await services.pop()?.close();
    } finally {
      await redis.close();
    }
  });

  it('write one line per attempt, readable in dev and JSON in prod, and never the message', async () => {
    const service = await start({ workers: 0, settings: { ENVIRONMENT: 'prod' } });
    const worker = await service.startWorker();
    // A receiver that quotes what it refuses, as many do.
    receiver.on('/hook', ({ body }, nth) => ({ kind: 'answer', status: nth === 1 ? 500 : 200, body }));
    const task = httpTask(receiver.url('/hook'), { max_retries: 3, base_delay: 0.05, message_data: 'super-secret-payload' });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    await worker.stop();
    const lines = worker.lines.filter((line) => line.includes(task.id)).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ message, task_id, attempt, max_retries, outcome, code, http_status, destination }) => ({ message, task_id, attempt, max_retries, outcome, code, http_status, destination }))).to.deep.equal([
      { message: 'attempt', task_id: task.id, attempt: 0, max_retries: 3, outcome: 'retry', code: 'http_server_error', http_status: 500, destination: receiver.url('/hook') },
      { message: 'attempt', task_id: task.id, attempt: 1, max_retries: 3, outcome: 'delivered', code: undefined, http_status: 200, destination: receiver.url('/hook') },
    ]);
    expect(lines.every(({ duration_ms }) => typeof duration_ms === 'number')).to.equal(true);
    expect(service.output).to.not.include('super-secret-payload');
  });
});
