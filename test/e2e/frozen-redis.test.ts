import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { uniquePrefix } from '../support/namespace.js';
import { printAddress, PrivateRedis } from '../support/redis.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service, ServiceProcess } from '../support/service.js';
import { call, httpTask, submitNew, waitForState } from '../support/tasks.js';

/** Workers that are told to end, all at once. */
const RUNS = 3;
/** A worker with nothing in flight ends within 2 s. The rest is for two busy cores. */
const ENDS_WITHIN_MS = 3_000;

/** A frozen Redis takes connections, and answers nothing on them: no connection fails. */
describe('e2e: a worker whose Redis is frozen', () => {
  let redis: PrivateRedis;
  let receiver: Receiver;
  let service: Service | undefined;

  beforeEach(async () => {
    redis = await PrivateRedis.start();
    receiver = await createReceiver();
  });
  afterEach(async () => {
    redis.thaw();
    await service?.close();
    service = undefined;
    await receiver.close();
    await redis.close();
  });

  function startsNow(): ServiceProcess {
    return new ServiceProcess('workers/main.js', { REDIS_ADDR: printAddress(redis.address), QUEUE_PREFIX: uniquePrefix() });
  }

  async function endsInTime(worker: ServiceProcess): Promise<void> {
    const startedAt = performance.now();
    expect(await worker.stop(), worker.output).to.equal(0);
    expect(performance.now() - startedAt).to.be.below(ENDS_WITHIN_MS);
  }

  it('says so within seconds when it starts, and starts when Redis answers', async () => {
    await redis.freeze();
    const worker = startsNow();
    await worker.hasWritten(/redis is away error="Error: it has not answered for 3000 ms"/, 10_000);
    redis.thaw();
    await worker.hasWritten(/worker is up/);
    expect(worker.output.match(/redis is (away|back)/g)).to.deep.equal(['redis is away', 'redis is back']);
    await endsInTime(worker);
  });

  it('says so within seconds when it runs, and goes on when Redis answers', async () => {
    service = await Service.start({ workers: 0, redis: redis.address });
    const worker = await service.startWorker();
    await redis.freeze();
    await worker.hasWritten(/redis is away/, 10_000);
    redis.thaw();
    await worker.hasWritten(/redis is back/);
    // The API finds its Redis again by itself, a moment sooner or later.
    const { baseUrl } = service;
    await eventually(async () => { expect((await call(baseUrl, '/readyz')).status).to.equal(200); });
    const task = httpTask(receiver.url('/'));
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(worker.output.match(/redis is (away|back)/g)).to.deep.equal(['redis is away', 'redis is back']);
  });

  it('ends within 2 s when it is told to, in the middle of its start', async () => {
    await redis.freeze();
    const workers = Array.from({ length: RUNS }, startsNow);
    await Promise.all(workers.map((worker) => worker.hasWritten(/redis is away/, 20_000)));
    await Promise.all(workers.map(endsInTime));
  });

  it('ends within 2 s when it is told to, with nothing in flight', async () => {
    const started = await Service.start({ workers: 0, redis: redis.address });
    service = started;
    const workers = await Promise.all(Array.from({ length: RUNS }, () => started.startWorker()));
    await redis.freeze();
    await Promise.all(workers.map(endsInTime));
  });
});
