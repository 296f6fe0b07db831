import { expect } from 'chai';
import { Redis } from 'ioredis';

import { MemoryGuard, memoryMark } from '../../../../shared/redis/memory-guard.js';
import { connectRedis } from '../../../../shared/redis/redis-connection.js';
import { readReplicas } from '../../../../shared/redis/replica-count.js';
import { eventually } from '../../../support/eventually.js';
import { RedisCluster } from '../../../support/redis-cluster.js';
import { PrivateRedis } from '../../../support/redis.js';

describe('replicas of a real Redis', function () {
  this.timeout(30_000);

  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => { for (const close of closers.splice(0).reverse()) await close(); });

  it('are counted when they are in step, and no more when they have died', async () => {
    const master = await PrivateRedis.start(['--repl-diskless-sync-delay', '0']);
    closers.push(() => master.close());
    const client = new Redis({ ...master.clientOptions });
    closers.push(async () => { client.disconnect(); });
    expect(await readReplicas(client)).to.equal(0);
    const replica = await PrivateRedis.start(['--replicaof', master.address.host, String(master.address.port)]);
    closers.push(() => replica.close());
    await eventually(async () => expect(await readReplicas(client)).to.equal(1), { withinMs: 15_000 });
    await replica.kill();
    await eventually(async () => expect(await readReplicas(client)).to.equal(0), { withinMs: 5_000 });
  });

  it('and the used memory are told by the masters of a cluster that answer, while one is frozen', async () => {
    const cluster = await RedisCluster.start({ masters: 3, replicas: 0, settings: ['--maxmemory', '100mb'] });
    closers.push(() => cluster.close());
    const redis = connectRedis({ mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false }, 'server');
    redis.on('error', () => undefined);
    closers.push(async () => { redis.disconnect(); });
    const guard = new MemoryGuard(redis, 0.5);
    closers.push(async () => guard.close());
    const [fullest, other] = cluster.nodes;
    if (fullest === undefined || other === undefined) throw new Error('no node');
    const fill = (node: PrivateRedis, limit: string): Promise<unknown> => cluster.ask(node, (client) => client.config('SET', 'maxmemory', limit));
    await fill(fullest, '2mb');
    await eventually(() => { expect(guard.isAboveMark).to.equal(true); }, { withinMs: 5_000 });
    const own = await cluster.ask(fullest, async (client) => {
      for (let nth = 0; ; nth += 1) if (await client.get(`key-${nth}`).then(() => true, () => false)) return `key-${nth}`;
    });
    await fullest.freeze();
    closers.push(async () => fullest.thaw());
    // Without calls about it the client forgets a node that is silent.
    const calls = setInterval(() => void redis.get(own).catch(() => undefined), 50);
    closers.push(async () => clearInterval(calls));
    await eventually(() => { expect(guard.isAboveMark, 'of those that answer').to.equal(false); }, { withinMs: 5_000 });
    expect(guard.usedRatio).to.be.within(0.001, 0.5);
    expect(await readReplicas(redis)).to.equal(0);
    await fill(other, '2mb');
    await eventually(() => { expect(guard.isAboveMark, 'one that fills up meanwhile').to.equal(true); }, { withinMs: 5_000 });
    expect(await memoryMark(redis, 0.5)()).to.equal(true);
  });
});
