import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, submitNew } from '../../../support/tasks.js';

/** A worker waits in Redis for 2.5 s; BullMQ's own longest wait is 10 s. */
const WITHIN_MS = 5_000;

describe('an idle worker that is not told of a job', () => {
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    [service, receiver] = await Promise.all([InProcessService.ready(), createReceiver()]);
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  it('finds it all the same, when its wait is over', async () => {
    await service.startWorker();
    const [first, later] = [httpTask(receiver.url('/hook')), httpTask(receiver.url('/hook'), { initial_delay: 3_600 })];
    await submitNew(service.baseUrl, later);
    // It has begun to wait when nothing is left to do.
    await submitNew(service.baseUrl, first);
    await receiver.waitForRequests(1);
    const [shard] = await service.queue.shards();
    const { keys } = shard ?? expect.fail('no shard');
    await eventually(async () => { expect(await service.redis.exists(keys.marker)).to.equal(0); });
    // As if its marker had been lost with a connection.
    await service.redis.multi().zrem(keys.delayed, `t-${later.id}`).lpush(keys.wait, `t-${later.id}`).exec();
    await eventually(() => { expect(receiver.requestsFor(later.id)).to.have.lengthOf(1); }, { withinMs: WITHIN_MS });
  });
});
