import { expect } from 'chai';

import { createReceiver, type Receiver } from '../../support/receiver.js';
import { PrivateRedis } from '../../support/redis.js';
import { InProcessService } from '../../support/service-in-process.js';
import { httpTask, submitNew, timeOf, waitForState } from '../../support/tasks.js';

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
    const delays = [0.37, 0.81, 1.43, 1.99, 2.61, 3.17, 3.83];
    const tasks = await Promise.all(delays.map(async (initial_delay) => {
      const task = httpTask(receiver.url('/hook'), { initial_delay });
      await submitNew(service.baseUrl, task);
      return task;
    }));
    const late = await Promise.all(tasks.map(async ({ id }, nth) => {
      const { created_at: createdAt, timeline } = await waitForState(service.baseUrl, id, 'delivered');
      return timeOf(timeline[0]?.started_at) - timeOf(createdAt) - (delays[nth] ?? 0) * 1_000;
    }));
    late.sort((a, b) => a - b);
    expect(late[0], 'never early').to.be.at.least(0);
    expect(late[3], `half of a second in the middle without an alarm of its own: ${late.map(Math.round).join(', ')} ms`).to.be.below(200);
  }).timeout(30_000);
});
