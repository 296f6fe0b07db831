import { expect } from 'chai';

import { auditKeys, bulkKeys } from '../../../../shared/queue/fleet-keys.js';
import { openBulkActions } from '../../../../shared/queue/bulk-actions/open-bulk-actions.js';
import type { BulkActions } from '../../../../shared/queue/bulk-actions/bulk-actions.js';
import { TaskQueue } from '../../../../shared/queue/tasks/task-queue.js';
import { ReplicatedWrites } from '../../../../shared/redis/replicated-writes.js';
import { parkTasks, readBulkAction, startBulkAction, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { uniquePrefix } from '../../../support/namespace.js';
import { createReceiver } from '../../../support/receiver.js';
import { PrivateRedis } from '../../../support/redis.js';
import { connect, InProcessService } from '../../../support/service-in-process.js';
import { SlowLink } from '../../../support/slow-link.js';
import { cancel, waitForState } from '../../../support/tasks.js';
import { waitForReplica } from '../../../support/wait-for-replica.js';

const SHARDS = 64;

describe('bulk actions that wait for replicas', function () {
  this.timeout(60_000);
  const closers: (() => unknown)[] = [];
  afterEach(async () => { for (const close of closers.splice(0).reverse()) await close(); });

  async function startRedis(settings: readonly string[] = []): Promise<PrivateRedis> {
    const redis = await PrivateRedis.start(['--repl-diskless-sync-delay', '0', '--maxmemory-policy', 'noeviction', ...settings]);
    closers.push(() => redis.close());
    return redis;
  }

  async function actionsAt(master: PrivateRedis): Promise<BulkActions> {
    const redis = connect('worker', master.address);
    const replicated = new ReplicatedWrites(redis, 1);
    const prefix = uniquePrefix();
    const queue = new TaskQueue({ redis, replicated, prefix, shards: SHARDS, deadAttempts: 10, clock: Date.now });
    closers.push(() => redis.disconnect(), () => queue.close(), () => replicated.close());
    await queue.ready();
    return openBulkActions(await queue.shards(), { actions: bulkKeys(prefix, false), audit: auditKeys(prefix, false, 1) }, 1_000);
  }

  const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined, (error: unknown) => error);

  it('have the answers of many shards on one master with slow replicas; of missing ones they ask once in a while', async () => {
    const master = await startRedis();
    const link = await SlowLink.to(master.address);
    closers.push(() => link.close());
    const replica = await startRedis(['--replicaof', link.address.host, String(link.address.port)]);
    closers.push(() => replica.thaw());
    await waitForReplica(master);
    const actions = await actionsAt(master);
    // All at once, the last ones would wait longer for a connection than they may.
    link.delayMs = 40;
    await actions.sealAll('nobody', []);
    expect((await actions.lastingPartsOf('nobody')).map((part) => part?.isSealed)).to.deep.equal(Array.from({ length: SHARDS }, () => false));
    link.delayMs = 0;
    await replica.freeze();
    const [shard = expect.fail('no shard'), other = expect.fail('one shard')] = actions.shards;
    const missing = await failureOf(actions.seal(shard, 'nobody', 0));
    expect(missing).to.include({ name: 'NotReplicatedError' });
    // Not another one that says the same: no master was asked.
    for (const failure of [await failureOf(actions.lastingPartsOf('other')), await failureOf(actions.seal(shard, 'other', 0)), await failureOf(actions.sealAll('other', []))]) expect(failure).to.equal(missing);
    // The replicas of another shard may be there.
    expect(await failureOf(actions.seal(other, 'other', 0))).to.include({ name: 'NotReplicatedError' }).and.not.equal(missing);
    replica.thaw();
    await eventually(() => actions.lastingPartsOf('nobody'), { withinMs: 10_000 });
  });

  it('come to rest when they are done, though none of the others can begin', async () => {
    const receiver = await createReceiver();
    closers.push(() => receiver.close());
    receiver.on('/hook', () => ({ kind: 'answer', status: 400 }));
    const service = await InProcessService.ready({ redis: (await startRedis()).address });
    closers.push(() => service.close());
    const plain = await service.startWorker();
    const [task = ''] = await parkTasks(service.baseUrl, receiver.url('/hook'), 1);
    const done = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [task], override: { max_retries: 1, base_delay: 3_600 } });
    await waitForState(service.baseUrl, task, 'retrying');
    expect(await waitForBulkAction(service.baseUrl, done, 'done')).to.deep.include({ in_progress: 1, settled_at: null });
    await plain.stop(0);
    // No replica is there.
    await service.startWorker({ settings: { REDIS_MIN_REPLICAS: '1' } });
    const others = await Promise.all(Array.from({ length: 3 }, () => startBulkAction(service.baseUrl, { action: 'redrive', ids: ['nobody'] })));
    expect((await cancel(service.baseUrl, task)).status).to.equal(200);
    expect(await waitUntilSettled(service.baseUrl, done)).to.deep.include({ cancelled: 1 });
    for (const other of others) expect(await readBulkAction(service.baseUrl, other)).to.include({ state: 'matching' });
  });
});
