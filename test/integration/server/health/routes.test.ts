import { expect } from 'chai';

import { InProcessService } from '../../../support/service-in-process.js';
import { call } from '../../../support/tasks.js';

// test/integration/shared/redis/redis-outage.test.ts tests their answers while Redis is away.
describe('health', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready(); });
  after(() => service.close());

  const table = [
    ['/health', { status: 'healthy' }],
    ['/livez', { status: 'alive' }],
    ['/readyz', { status: 'ready', checks: { redis: 'ok' } }],
  ] as const;
  for (const [path, body] of table) {
    it(`${path} answers 200 and exactly ${JSON.stringify(body)}`, async () => {
      const answer = await call(service.baseUrl, path);
      expect([answer.status, answer.body]).to.deep.equal([200, body]);
    });
  }
});
