import { expect } from 'chai';

import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { PrivateRedis } from '../../../support/redis.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, submitNew, timeOf, waitForState } from '../../../support/tasks.js';

describe('a Redis that looks at its clock once a second', () => {
  let redis: PrivateRedis;
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    redis = await PrivateRedis.start(['--hz', '1', '--maxmemory-policy', 'noeviction']);
    [service, receiver] = await Promise.all([InProcessService.ready({ redis: redis.address }), createReceiver()]);
  });
  after(async () => {
    await service.close();
    await Promise.all([redis.close(), receiver.close()]);
  });

  it('does not keep an idle worker from sending in time', async () => {
    await service.startWorker();
    const delays = Array.from({ length: 31 }, (_, nth) => 0.5 + nth * 0.137);
    const tasks = await Promise.all(delays.map(async (initial_delay) => {
      const task = httpTask(receiver.url('/hook'), { initial_delay });
      await submitNew(service.baseUrl, task);
      return task;
    }));
    // Not by asking the API, which asks Redis.
    await receiver.waitForRequests(tasks.length, { withinMs: 20_000 });
    const late = await Promise.all(tasks.map(async ({ id }, nth) => {
      const { created_at: createdAt, timeline } = await waitForState(service.baseUrl, id, 'delivered');
      return timeOf(timeline[0]?.started_at) - timeOf(createdAt) - (delays[nth] ?? 0) * 1_000;
    }));
    late.sort((a, b) => a - b);
    expect(late[0], 'never early').to.be.at.least(0);
    // Without an alarm of its own some 100: whatever is sent to Redis makes it look, too, and workers ask each 200 ms.
    expect(late[15], `ms late: ${late.map(Math.round).join(', ')}`).to.be.below(60);
  }).timeout(30_000);
});
