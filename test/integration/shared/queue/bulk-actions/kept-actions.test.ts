import { expect } from 'chai';

import { bulkKeys } from '../../../../../shared/queue/fleet-keys.js';
import { startBulkAction } from '../../../../support/bulk-actions.js';
import { InProcessService } from '../../../../support/service-in-process.js';

/** Actions that have ended, the oldest first. */
async function store({ redis, prefix }: InProcessService, actions: readonly { readonly id: string; readonly owner: string }[]): Promise<void> {
  const keys = bulkKeys(prefix, false);
  const pipeline = redis.pipeline();
  for (const [at, { id, owner }] of actions.entries()) pipeline.zadd(keys.index, at, id).hset(keys.action(id), { id, owner });
  await pipeline.exec();
}

describe('the bulk actions that are kept', () => {
  it('are 1,000: of more the oldest that have ended go', async () => {
    const service = await InProcessService.ready();
    try {
      const { index, live } = bulkKeys(service.prefix, false);
      await service.redis.zadd(index, ...Array.from({ length: 1_001 }, (_, nth) => [String(nth), `a${nth}`]).flat());
      // The oldest one has not ended yet.
      await service.redis.zadd(live, 0, 'a0');
      await startBulkAction(service.baseUrl, { action: 'redrive', ids: ['nobody'] });
      expect(await service.redis.zcard(index)).to.equal(1_000);
      expect(await service.redis.zrange(index, '0', '2')).to.deep.equal(['a0', 'a3', 'a4']);
    } finally {
      await service.close();
    }
  });

  it('are those of each key, whatever the others ask for: the oldest of the key that has most go', async () => {
    const service = await InProcessService.ready();
    try {
      const { index } = bulkKeys(service.prefix, false);
      await store(service, [...['a0', 'a1'].map((id) => ({ id, owner: 'a' })), ...Array.from({ length: 999 }, (_, nth) => ({ id: `b${nth}`, owner: 'b' }))]);
      await startBulkAction(service.baseUrl, { action: 'redrive', ids: ['nobody'] });
      expect(await service.redis.zcard(index)).to.equal(1_000);
      expect(await service.redis.zrange(index, '0', '2')).to.deep.equal(['a0', 'a1', 'b2']);
    } finally {
      await service.close();
    }
  });
});
