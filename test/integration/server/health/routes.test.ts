import { expect } from 'chai';

import { InProcessService } from '../../../support/service-in-process.js';
import { call } from '../../../support/tasks.js';

// What they answer while Redis is away stands in ../../shared/queue/redis-outage.test.ts.
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
