import { expect } from 'chai';
import type { Redis } from 'ioredis';

import { PrivateRedis } from '../support/redis.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';
import { connect } from '../support/service-in-process.js';
import { httpTask, submit, submitNew, waitForState } from '../support/tasks.js';

const PAUSED_MS = 120_000;

/** As an operator does before a failover by hand: PING and INFO are answered, and what may write waits. */
describe('e2e: a Redis whose writes are paused', () => {
  let redis: PrivateRedis;
  let operator: Redis;
  let receiver: Receiver;
  let service: Service | undefined;

  before(async () => {
    redis = await PrivateRedis.start();
    operator = connect('worker', redis.address) as Redis;
    receiver = await createReceiver();
  });
  after(async () => {
    await operator.call('CLIENT', 'UNPAUSE');
    await service?.close();
    operator.disconnect();
    await receiver.close();
    await redis.close();
  });

  it('is away once and back once, for the API and for a worker', async () => {
    service = await Service.start({ workers: 0, redis: redis.address });
    const { server, baseUrl } = service;
    const worker = await service.startWorker();
    await operator.call('CLIENT', 'PAUSE', String(PAUSED_MS), 'WRITE');
    await server.hasWritten(/redis is away/);
    await worker.hasWritten(/redis is away/);
    // A worker gives up its connections after 15 s. Until then the API has made many.
    await worker.hasWritten(/redis cannot answer now/);
    expect((await submit(baseUrl, httpTask(receiver.url('/')))).status).to.equal(503);
    for (const process of [server, worker]) expect(process.output).to.not.include('redis is back');
    await operator.call('CLIENT', 'UNPAUSE');
    for (const process of [server, worker]) await process.hasWritten(/redis is back/);
    const task = httpTask(receiver.url('/'));
    await submitNew(baseUrl, task);
    await waitForState(baseUrl, task.id, 'delivered');
    for (const process of [server, worker]) expect(process.output.match(/redis is (away|back)/g)).to.deep.equal(['redis is away', 'redis is back']);
  });
});
