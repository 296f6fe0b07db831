import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { PrivateRedis } from '../../../support/redis.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, submitNew, waitForState, type WireTask } from '../../../support/tasks.js';

describe('limits while Redis is in trouble', () => {
  let redis: PrivateRedis;
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    redis = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', '--appendonly', 'yes', '--appendfsync', 'always']);
    service = await InProcessService.ready({ redis: redis.address });
    receiver = await createReceiver();
    receiver.on('/hook', { kind: 'answer', delayMs: 30 });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
    await redis.close();
  });

  async function limitAndSubmit(count: number): Promise<WireTask[]> {
    await service.queue.fleet.flowStore().setLimits(new URL(receiver.url('/')).origin, { maxConcurrency: 3 });
    return Promise.all(Array.from({ length: count }, async () => {
      const task = httpTask(receiver.url('/hook'));
      await submitNew(service.baseUrl, task);
      return task;
    }));
  }

  it('nothing goes past a limit and nothing is lost when Redis is killed and comes back without its scripts', async () => {
    const tasks = await limitAndSubmit(60);
    await service.startWorker({ concurrency: 30 });
    await receiver.waitForRequests(15);
    await redis.kill();
    await redis.restart();
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered', { withinMs: 30_000 });
    expect(receiver.maxInFlight).to.be.at.most(3);
    expect(receiver.requests.every(({ headers }) => headers['x-retry-attempt'] === '0'), 'no attempt is used').to.equal(true);
  }).timeout(60_000);

  it('nothing goes past a limit while Redis is full, and all goes on afterwards', async () => {
    const tasks = await limitAndSubmit(40);
    await service.startWorker({ concurrency: 20 });
    await receiver.waitForRequests(6);
    await service.redis.config('SET', 'maxmemory', '1mb');
    const before = receiver.requests.length;
    await eventually(() => expect(service.log).to.include('redis is full'));
    // A place is taken also in a full Redis, because its script removes before it adds. So sends go on until the worker meets a write
    // that is refused, three at once.
    expect(receiver.requests.length - before, 'until it was refused something').to.be.below(tasks.length / 2);
    expect(receiver.maxInFlight).to.be.at.most(3);
    await service.redis.config('SET', 'maxmemory', '0');
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered', { withinMs: 30_000 });
    expect(receiver.maxInFlight).to.be.at.most(3);
  }).timeout(60_000);
});
