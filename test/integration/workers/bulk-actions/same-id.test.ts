import { expect } from 'chai';

import { defaultPathMask } from '../../../../shared/domain/destinations/path-mask.js';
import type { BulkAction } from '../../../../shared/domain/bulk-actions/bulk-action.js';
import type { BulkActions } from '../../../../shared/queue/bulk-actions/bulk-actions.js';
import type { BulkShard } from '../../../../shared/queue/bulk-actions/bulk-shard.js';
import { openBulkActions } from '../../../../shared/queue/bulk-actions/open-bulk-actions.js';
import { auditKeys, bulkKeys } from '../../../../shared/queue/fleet-keys.js';
import { compileFilter } from '../../../../shared/queue/search/compile-filter.js';
import { askBulkAction, submitAll, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { shardKeys } from '../../../support/shard-keys.js';
import { getTask, httpTask, uniqueId } from '../../../support/tasks.js';

/** What a worker has begun for an action comes to its end after the API has refused and removed the action. */
describe('a bulk action with the id of one that was refused', () => {
  let service: InProcessService;
  let actions: BulkActions;
  let shard: BulkShard;

  beforeEach(async () => {
    service = await InProcessService.ready();
    actions = openBulkActions(await service.queue.shards(), { actions: bulkKeys(service.prefix, false), audit: auditKeys(service.prefix, false, 1) }, 10_000);
    [shard] = actions.shards as readonly [BulkShard];
  });
  afterEach(() => service.close());

  /** The state in which the worker's change leaves it when another number was expected, and then the removal by the API. */
  async function refusedAndRemoved(id: string): Promise<{ readonly before: BulkAction; readonly refused: BulkAction }> {
    const before = await created(id);
    const changed = await actions.store.change(id, { from: ['matching'], to: 'refused', fields: { doneAt: 'now' } });
    const refused = changed?.action ?? expect.fail('it was not there');
    await actions.remove(refused);
    return { before, refused };
  }

  async function created(id: string, digest = 'first'): Promise<BulkAction> {
    const asked = { action: 'send_now', filter: null, conditions: null, override: null, order: 'oldest', limit: null, expected: 2, reason: null, createdAt: Date.now(), createdBy: { type: 'anonymous', id: null, name: null, operator: null }, clientIds: null } as const;
    expect(await actions.store.create({ id, digest, asked, rate: null, ids: ['nobody'], entry: undefined, most: { ofAll: 10, ofKey: 10 } })).to.equal('created');
    return (await actions.store.read(id)) ?? expect.fail('it was not stored');
  }

  const keysOf = (id: string): Promise<string[]> => service.redis.keys(`${service.prefix}*${id}*`);

  it('is not changed by what was meant for the one before', async () => {
    const id = uniqueId('ba');
    const { before } = await refusedAndRemoved(id);
    const second = await created(id, 'second');
    const pause = { from: ['matching'], to: 'paused' } as const;
    expect(await actions.store.change(id, { ...pause, digest: before.digest })).to.equal(undefined);
    expect(await actions.store.read(id)).to.deep.equal(second);
    expect(await actions.store.change(id, { ...pause, digest: second.digest })).to.deep.include({ isChanged: true });
  });

  it('is carried out, and none of its numbers is of the one before', async () => {
    const task = httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 });
    await submitAll(service.baseUrl, [task]);
    const id = uniqueId('ba');
    const { before, refused } = await refusedAndRemoved(id);
    const late = async (): Promise<void> => {
      await shard.fence(id, refused.epoch);
      const plan = compileFilter([], { defaultBrokers: new Set(), mask: defaultPathMask });
      expect(await shard.writeDownIds(before, 'late worker', plan, ['another'], '', 'end', (step) => step())).to.equal('stale');
    };
    await late();
    expect((await askBulkAction(service.baseUrl, { id, action: 'send_now', ids: [task.id] })).status).to.equal(201);
    // A worker that has seen the one before among those that have ended.
    await actions.settle(refused);
    await late();
    await service.startWorker();
    expect(await waitForBulkAction(service.baseUrl, id, 'done')).to.deep.include({ matched: 1, started: 1, skipped: { changed: 0, gone: 0, being_sent: 0, over_limit: 0 } });
    await waitUntilSettled(service.baseUrl, id);
    expect((await getTask(service.baseUrl, task.id)).timeline[0]).to.deep.include({ kind: 'released', bulk_action_id: id });
    expect(await service.redis.pttl(shardKeys(service.prefix).bulkCounts(id)), 'kept for 30 days').to.be.greaterThan(86_400_000);
  }).timeout(30_000);

  for (const to of ['paused', 'cancelled'] as const) {
    it(`begins no step more when it is ${to} by a repeated call, whose first one was killed before it told the shards`, async () => {
      const before = await created(uniqueId('ba'));
      const change = { from: ['matching'], to } as const;
      await actions.store.change(before.id, change);
      expect(await actions.change(before.id, change)).to.include({ isChanged: false });
      expect(await shard.claimMatching(before, 'late worker', '')).to.equal('stale');
    }).timeout(30_000);
  }

  it('finds nothing in Redis that stays there for ever', async () => {
    const id = uniqueId('ba');
    const { before, refused } = await refusedAndRemoved(id);
    await shard.fence(id, refused.epoch);
    await shard.claimMatching(before, 'late worker', '');
    const left = await keysOf(id);
    expect(await Promise.all(left.map((key) => service.redis.pttl(key)))).to.satisfy((ttls: readonly number[]) => ttls.every((ttl) => ttl > 0));
  }).timeout(30_000);
});
