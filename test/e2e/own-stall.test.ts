import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { PrivateRedis } from '../support/redis.js';
import { Service, type ServiceProcess } from '../support/service.js';
import { getTask, httpTask, submitNew, uniqueId, waitForState } from '../support/tasks.js';

const STALL_MS = 3_000;
const burning = { NODE_OPTIONS: `--import=${new URL('./preload/burn-on-signal.mjs', import.meta.url).href}`, BURN_MS: String(STALL_MS) };

describe('e2e: an event loop that stands still for 3 s', () => {
  let receiver: Receiver;
  let service: Service | undefined;

  beforeEach(async () => {
    receiver = await createReceiver();
  });
  afterEach(async () => {
    await service?.close();
    service = undefined;
    await receiver.close();
  });

  /** @returns how long it stood still, ms */
  async function stall(stalled: ServiceProcess): Promise<void> {
    const times = stalled.output.split('the event loop goes on').length;
    process.kill(stalled.pid, 'SIGUSR2');
    await eventually(() => expect(stalled.output.split('the event loop goes on').length).to.equal(times + 1), { withinMs: STALL_MS * 5 });
  }

  it('is no outage of Redis for the API: no 503, no line about Redis, no new connection', async () => {
    service = await Service.start({ workers: 0, settings: burning });
    const { baseUrl } = service;
    const asks: readonly (() => Promise<Response>)[] = [
      () => fetch(`${baseUrl}/tasks`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(httpTask('http://127.0.0.1:9/', { id: uniqueId(), initial_delay: 3_600 })) }),
      () => fetch(`${baseUrl}/stats`),
      () => fetch(`${baseUrl}/readyz`),
      () => fetch(`${baseUrl}/health`),
      () => fetch(`${baseUrl}/destinations`),
      () => fetch(`${baseUrl}/admin/queues/api/queues?activeQueue=deliver-0`),
    ];
    const statuses = new Map<number | string, number>();
    let isOver = false;
    // Requests are under way at every moment: some have sent their command when the stall begins.
    const clients = Array.from({ length: 24 }, async (_, nth) => {
      while (!isOver) {
        const status = await (asks[nth % asks.length] ?? asks[0])?.().then(async (answer) => {
          await answer.arrayBuffer();
          return answer.status;
        }, (error: unknown) => String(error));
        statuses.set(status ?? 'none', (statuses.get(status ?? 'none') ?? 0) + 1);
      }
    });
    for (let nth = 0; nth < 2; nth += 1) {
      const before = statuses.get(201) ?? 0;
      await eventually(() => expect(statuses.get(201) ?? 0).to.be.above(before + 50), { withinMs: 10_000 });
      await stall(service.server);
    }
    isOver = true;
    await Promise.all(clients);
    expect([...statuses.keys()].sort(), service.output).to.deep.equal([200, 201]);
    expect(service.output).to.not.match(/redis is (away|back)/);
  });

  it('still tells an outage of Redis in time: 503 within a second and a half when Redis is frozen', async () => {
    const redis = await PrivateRedis.start();
    try {
      service = await Service.start({ workers: 0, redis: redis.address });
      const { baseUrl } = service;
      await redis.freeze();
      const startedAt = performance.now();
      const answers = await Promise.all([
        fetch(`${baseUrl}/tasks`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(httpTask('http://127.0.0.1:9/')) }),
        fetch(`${baseUrl}/stats`),
        fetch(`${baseUrl}/readyz`),
        fetch(`${baseUrl}/admin/queues/api/queues`),
      ]);
      expect(answers.map(({ status }) => status)).to.deep.equal([503, 503, 503, 503]);
      expect(performance.now() - startedAt).to.be.below(1_500);
      await service.server.hasWritten(/redis is away/);
      redis.thaw();
      await service.server.hasWritten(/redis is back/);
    } finally {
      await service?.close();
      service = undefined;
      await redis.close();
    }
  });

  it('is no failed attempt of a worker: answers that came meanwhile count, also behind DELIVERY_TIMEOUT', async () => {
    service = await Service.start({ workers: 0, settings: { DELIVERY_TIMEOUT: '2s' } });
    const worker = await service.startWorker(burning);
    receiver.on('/hook', { kind: 'answer', delayMs: 1_000 });
    const tasks = Array.from({ length: 10 }, () => httpTask(receiver.url('/hook')));
    for (const task of tasks) await submitNew(service.baseUrl, task);
    await receiver.waitForRequests(10);
    await stall(worker);
    for (const { id } of tasks) {
      await waitForState(service.baseUrl, id, 'delivered');
      expect((await getTask(service.baseUrl, id)).timeline.map(({ outcome }) => outcome)).to.deep.equal(['delivered']);
    }
    expect(worker.output).to.not.match(/redis is away/);
  });
});
