import { expect } from 'chai';

import { loadConfig } from '../../../shared/config/load.js';
import { serviceVersion } from '../../../shared/config/service-version.js';
import { createLogger } from '../../../shared/logging/logger.js';
import { createWorker, type Worker } from '../../../workers/create-worker.js';
import { uniquePrefix } from '../../support/namespace.js';
import { sendRaw } from '../../support/raw-request.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { testRedisAddress } from '../../support/redis.js';
import { CollectedLog, InProcessService } from '../../support/service-in-process.js';
import { httpTask, submitNew, waitForState } from '../../support/tasks.js';

/** As on a cluster. */
const SHARDS = 16;

describe('a worker from start to stop', () => {
  const log = new CollectedLog();
  let prefix: string;
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    prefix = uniquePrefix();
    service = await InProcessService.ready({ prefix });
    receiver = await createReceiver();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  function make({ shards = 1, redisAddr = `${testRedisAddress().host}:${testRedisAddress().port}`, environment = {} } = {}): Worker {
    const config = { ...loadConfig({ REDIS_ADDR: redisAddr, QUEUE_PREFIX: prefix, ...environment }), shards };
    return createWorker(config, { logger: createLogger({ level: 'info', environment: 'dev', role: 'worker' }, log), clock: Date.now, random: Math.random, workerName: 'one', version: serviceVersion() });
  }

  /** Connections of BullMQ's workers of this test. */
  async function connections(): Promise<number> {
    const counts = await Promise.all((await service.queue.shards()).map(({ queue }) => queue.getWorkersCount()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  it('may be stopped before it was started, and takes nothing if it is started then', async () => {
    const worker = make();
    await worker.stop();
    await worker.start();
    expect(await connections()).to.equal(0);
  });

  it('takes tasks once it is started, and starts once however often it is asked to', async () => {
    const worker = make();
    try {
      await Promise.all([worker.start(), worker.start()]);
      expect(await connections()).to.equal(1);
      const task = httpTask(receiver.url('/'));
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'delivered');
    } finally {
      await worker.stop();
    }
  });

  it('starts no more of its shards when it is stopped during its start, and drains those it has started', async () => {
    await service.close();
    prefix = uniquePrefix();
    service = await InProcessService.ready({ prefix, shards: SHARDS });
    receiver.on('/slow', { kind: 'answer', delayMs: 500 });
    const tasks = Array.from({ length: 10 * SHARDS }, () => httpTask(receiver.url('/slow')));
    await Promise.all(tasks.map((task) => submitNew(service.baseUrl, task)));
    const worker = make({ shards: SHARDS });
    const started = worker.start();
    // The first shard has taken a task; the others are still being opened.
    await receiver.waitForRequests(1);
    await worker.stop();
    await started;
    expect(worker.inHand).to.equal(0);
    expect(await connections()).to.equal(0);
  });

  it('can be stopped while it waits for a Redis that is not there', async () => {
    const worker = make({ redisAddr: '127.0.0.1:9' });
    const started = worker.start();
    await worker.stop();
    await started;
  });

  it('lets what is in flight finish when it is stopped, and may be stopped twice', async () => {
    receiver.on('/slow', { kind: 'answer', delayMs: 300 });
    const worker = make();
    await worker.start();
    const task = httpTask(receiver.url('/slow'));
    await submitNew(service.baseUrl, task);
    await receiver.waitForRequests(1);
    expect(worker.inHand).to.equal(1);
    await Promise.all([worker.stop(), worker.stop()]);
    expect(worker.inHand).to.equal(0);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsFor(task.id)).to.have.lengthOf(1);
    expect(await connections()).to.equal(0);
  });

  it('shows metrics without keys in prod, too, under no name that a page could give its address, unless ALLOWED_HOSTS has it', async () => {
    const hosts = ['127.0.0.1:9464', 'localhost', 'worker:9464', 'rebinds.example'];
    for (const [named, last] of [[{}, 421], [{ ALLOWED_HOSTS: 'rebinds.example' }, 200]] as const) {
      const worker = make({ environment: { ENVIRONMENT: 'prod', AUTH: 'off', HTTP_HOST: '127.0.0.1', WORKER_HTTP_PORT: '0', KAFKA_BROKERS: '127.0.0.1:9', ...named } });
      try {
        const url = `http://127.0.0.1:${await worker.listen()}`;
        expect(await Promise.all(hosts.map(async (host) => (await sendRaw(url, { path: '/metrics', headers: { host } })).status))).to.deep.equal([200, 200, 200, last]);
      } finally {
        await worker.stop();
      }
    }
  });
});
