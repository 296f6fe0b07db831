import { expect } from 'chai';

import { flowKeys } from '../../../../shared/queue/fleet-keys.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { shardKeys } from '../../../support/shard-keys.js';
import { waitForState } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

describe('places of a limited destination that dead workers held', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  it('are free as soon as their tasks are recovered, though those have to wait for their turn again', async () => {
    const { service, receiver, origin } = fleet;
    receiver.on('/hook', { kind: 'answer', delayMs: 50 });
    await fleet.limit(origin, { maxConcurrency: 4 });
    // Held in the delayed set until everything is as two dead workers left it.
    const tasks = await fleet.submit(12, { initial_delay: 1 });
    const keys = flowKeys(service.prefix, false);
    for (const { id } of tasks.slice(-4)) {
      await service.redis.zadd(keys.leases(origin), Date.now() + 60_000, `t-${id}`);
      await service.redis.hset(shardKeys(service.prefix).job(id), jobField.stalls, 1);
    }
    await fleet.hire(2, { concurrency: 30 });
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered', { withinMs: 8_000 });
    expect(receiver.maxInFlight).to.be.at.most(4);
  }).timeout(30_000);
});
