import { expect } from 'chai';

import { shardOf } from '../../../../shared/queue/names.js';
import { parkTasks, readBulkAction, startBulkAction, tellBulkAction, waitUntilSettled, type ShownBulkAction } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { RedisCluster } from '../../../support/redis-cluster.js';
import type { PrivateRedis } from '../../../support/redis.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call } from '../../../support/tasks.js';

const SHARDS = 6;

describe('a bulk action while a part of a Redis Cluster is frozen', () => {
  let cluster: RedisCluster;
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    // Masters without replicas: a frozen one stays away. The others serve their slots all the same.
    cluster = await RedisCluster.start({ masters: 3, replicas: 0, settings: ['--cluster-require-full-coverage', 'no'] });
    receiver = await createReceiver();
    service = await InProcessService.ready({ shards: SHARDS, redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false } });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
    await cluster.close();
  });

  /** A master that has shards of tasks, and neither bulk actions nor audit. @returns it, and the shards that it has */
  async function masterOfTasksAlone(): Promise<{ readonly node: PrivateRedis; readonly shards: readonly number[] }> {
    for (const node of cluster.nodes) {
      const keys = await cluster.ask(node, (client) => client.keys('*'));
      const shards = Array.from({ length: SHARDS }, (_, nth) => nth).filter((nth) => keys.some((key) => key.startsWith(`{${service.prefix}-${nth}}`)));
      if (shards.length > 0 && !keys.some((key) => key.startsWith(`{${service.prefix}-flow}`))) return { node, shards };
    }
    return expect.fail('each master has the audit');
  }

  it('goes on in the shards that answer, says what is missing, and ends when they are back', async () => {
    receiver.on('/hook', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-run'] === '1' ? 400 : 200 }));
    await service.startWorker();
    const ids = await parkTasks(service.baseUrl, receiver.url('/hook'), 60);
    const { node, shards } = await masterOfTasksAlone();
    const there = ids.filter((id) => !shards.includes(shardOf(id, SHARDS))).length;
    expect(there, 'tasks that can be reached').to.be.within(1, 59);
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, rate: 1 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).matched).to.equal(60); });
    await node.freeze();
    await eventually(async () => { expect((await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":null}' })).status).to.equal(200); }, { withinMs: 30_000 });
    const shown: ShownBulkAction = await eventually(
      async () => {
        const now = await readBulkAction(service.baseUrl, id);
        expect(now).to.deep.include({ state: 'running', matched: 60, started: there });
        return now;
      },
      { withinMs: 30_000, everyMs: 100 },
    );
    expect(shown.state_reason?.code).to.equal('shard_away');
    expect(shown.state_reason?.message).to.include(`deliver-${shards[0]}`);
    expect(shown.pending).to.equal(60 - there);
    const missing = { is_complete: false, shards_away: shards.map((nth) => `deliver-${nth}`) };
    expect(shown).to.deep.include(missing);
    // It says so whatever the reason of its state is, and in the list, too.
    expect((await tellBulkAction(service.baseUrl, id, 'pause')).body).to.deep.include({ state: 'paused', ...missing });
    const { status, body } = await call(service.baseUrl, '/bulk-actions');
    expect(status).to.equal(200);
    const [listed] = body['bulk_actions'] as readonly ShownBulkAction[];
    expect(listed).to.deep.include(missing);
    expect(listed?.state_reason?.code).to.equal('operator');
    expect((await tellBulkAction(service.baseUrl, id, 'resume')).status).to.equal(200);
    node.thaw();
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', state_reason: null, started: 60, delivered: 60, is_complete: true, shards_away: [] });
    for (const task of ids) expect(receiver.requestsFor(task).map(({ headers }) => headers['x-retry-run']), task).to.deep.equal(['1', '2']);
  }).timeout(120_000);
});
