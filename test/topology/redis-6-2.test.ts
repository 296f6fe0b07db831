import { expect } from 'chai';
import { Redis } from 'ioredis';

import { RequestError } from '../../shared/domain/errors.js';
import { PrivateRedis, redis62 } from '../support/redis.js';
import { InProcessService } from '../support/service-in-process.js';
import { domainTask } from '../support/tasks.js';

describe('topology: Redis 6.2, the oldest that is supported', () => {
  let redis: PrivateRedis;
  let admin: Redis;
  let service: InProcessService;

  before(async () => {
    redis = await PrivateRedis.start(undefined, undefined, { binary: redis62() });
    admin = new Redis(redis.clientOptions);
    service = await InProcessService.ready({ redis: redis.address });
  });
  after(async () => {
    admin.disconnect();
    await service.close();
    await redis.close();
  });

  const codeOfSubmission = async (): Promise<string> => service.queue.submit(domainTask()).then(({ kind }) => kind, (error: unknown) => (error instanceof RequestError ? error.code : String(error)));

  // Inside a script it puts its words behind others than newer versions do.
  for (const [code, name, value, usual] of [['redis_full', 'maxmemory', '1', '0'], ['redis_refused', 'min-replicas-to-write', '1', '0']] as const) {
    it(`is taken by its word when it refuses a script: ${code}`, async () => {
      await admin.config('SET', name, value);
      try {
        expect(await codeOfSubmission()).to.equal(code);
      } finally {
        await admin.config('SET', name, usual);
      }
      expect(await codeOfSubmission()).to.equal('created');
    });
  }
});
