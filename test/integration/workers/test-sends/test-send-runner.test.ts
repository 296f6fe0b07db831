import { expect } from 'chai';

import { createPathMask } from '../../../../shared/domain/destinations/path-mask.js';
import { noSecretKeys } from '../../../../shared/domain/secrets/secret-box.js';
import { createLogger } from '../../../../shared/logging/logger.js';
import { withinLimit } from '../../../../shared/lifecycle/time-limit.js';
import { TaskQueue } from '../../../../shared/queue/tasks/task-queue.js';
import { encodeTask } from '../../../../shared/queue/tasks/task-codec.js';
import { RefusalLog } from '../../../../shared/redis/refusal-log.js';
import { createHttpAdapter } from '../../../../workers/adapters/http/http-adapter.js';
import { createKafkaAdapter } from '../../../../workers/adapters/kafka/adapter.js';
import { TestSendRunner } from '../../../../workers/test-sends/test-send-runner.js';
import { uniquePrefix } from '../../../support/namespace.js';
import { createReceiver } from '../../../support/receiver.js';
import { PrivateRedis } from '../../../support/redis.js';
import { CollectedLog, connect } from '../../../support/service-in-process.js';
import { domainTask } from '../../../support/tasks.js';

describe('the test sends of a worker', () => {
  it('wait for it in a list of 100', async () => {
    const redis = connect('server');
    const queue = new TaskQueue({ redis, prefix: uniquePrefix(), shards: 1, deadAttempts: 1, clock: Date.now });
    try {
      await queue.ready();
      const store = queue.fleet.testSendStore();
      const ask = (id: string): Promise<boolean> => store.ask({ id, task: '{}', limitMs: 1_000 }, 5_000);
      const taken = await Promise.all(Array.from({ length: 100 }, (_, nth) => ask(`test-${nth}`)));
      expect(taken).to.not.include(false);
      expect(await ask('test-100')).to.equal(false);
    } finally {
      await queue.close();
      redis.disconnect();
    }
  });

  it('do not hold up its stop while Redis is silent', async () => {
    const server = await PrivateRedis.start();
    const receiver = await createReceiver();
    // That of a worker: its commands wait for Redis without a limit.
    const redis = connect('worker', server.address);
    const logger = createLogger({ level: 'info', environment: 'dev', role: 'worker' }, new CollectedLog());
    const queue = new TaskQueue({ redis, prefix: uniquePrefix(), shards: 1, deadAttempts: 1, clock: Date.now, refusals: new RefusalLog(logger) });
    const adapters = { http: createHttpAdapter(), kafka: createKafkaAdapter({ defaultBrokers: ['127.0.0.1:9'], tls: false, clock: Date.now }) };
    const runner = new TestSendRunner({ store: () => queue.fleet.testSendStore(), adapters, secrets: noSecretKeys, mask: createPathMask([]), defaultBrokers: new Set(), workerName: 'w', clock: Date.now, logger });
    try {
      await queue.ready();
      receiver.on('/hook', { kind: 'hang' });
      const task = domainTask({ destination: { type: 'http', url: receiver.url('/hook') } });
      await queue.fleet.testSendStore().ask({ id: task.id, task: encodeTask(task), limitMs: 30_000 }, 30_000);
      runner.start();
      await runner.take();
      await receiver.waitForRequests(1);
      await server.freeze();
      await withinLimit(runner.stop(), 4_000, () => new Error('the stop is held up'));
    } finally {
      server.thaw();
      await queue.close();
      redis.disconnect();
      await Promise.all([adapters.http.close(), adapters.kafka.close(), receiver.close()]);
      await server.close();
    }
  }).timeout(8_000);
});
