import { expect } from 'chai';

import { loadConfig } from '../../shared/config/load.js';
import { queueMetaKey, shardCountKey, shardCountKeyOf } from '../../shared/queue/names.js';
import { settleShardCount, ShardCountError } from '../../shared/queue/engine/shard-count.js';
import { connectRedis, type RedisClient } from '../../shared/redis/redis-connection.js';
import { eventually } from '../support/eventually.js';
import { uniquePrefix } from '../support/namespace.js';
import { PrivateRedis, printAddress, testRedisAddress } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { ServiceProcess, type Settings } from '../support/service.js';
import { call, httpTask, submit } from '../support/tasks.js';

describe('topology: the number of shards', function () {
  this.timeout(60_000);
  const address = printAddress(testRedisAddress());
  let closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.reverse()) await close();
    closing = [];
  });

  function connect(settings: Settings = { REDIS_ADDR: address }): RedisClient {
    const redis = connectRedis(loadConfig(settings).redis, 'worker');
    closing.push(() => redis.disconnect());
    return redis;
  }

  const settle = (redis: RedisClient, prefix: string, count: number): Promise<unknown> => settleShardCount(redis, prefix, count, () => false).then(() => 'settled', (error: unknown) => error);

  it('is stored with the first start; a process with another one ends with 78 and says what to do', async () => {
    const prefix = uniquePrefix();
    const start = (entry: string, settings: Settings): ServiceProcess => {
      const started = new ServiceProcess(entry, { REDIS_ADDR: address, QUEUE_PREFIX: prefix, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', ...settings });
      closing.push(() => started.kill());
      return started;
    };
    await start('workers/main.js', { SHARDS: '4' }).hasWritten(/worker is up/);
    const others = [start('workers/main.js', {}), start('server/main.js', { SHARDS: '8' })];
    for (const [index, own] of [1, 8].entries()) {
      const other = others[index];
      expect(await other?.ended()).to.equal(78);
      expect(other?.output).to.include(`the tasks under QUEUE_PREFIX=${prefix} are spread over 4 shards, and this process is set up for ${own}`);
      expect(other?.output).to.include('Set SHARDS=4').and.to.include('docs/SCALING.md');
    }
    const moving = start('server/main.js', { REDIS_DB: '1', PREVIOUS_REDIS_ADDR: address });
    expect(await moving.ended()).to.equal(78);
    expect(moving.output).to.include('PREVIOUS_REDIS_ADDR can only be a store of one shard: ').and.to.include('over 4 shards');
  });

  it('is that of one of two processes that start first at the same time', async () => {
    for (let round = 0; round < 10; round += 1) {
      const prefix = uniquePrefix();
      const outcomes = await Promise.all([2, 3].map((count) => settle(connect(), prefix, count)));
      expect(outcomes.filter((outcome) => outcome === 'settled')).to.have.lengthOf(1);
      expect(outcomes.filter((outcome) => outcome instanceof ShardCountError)).to.have.lengthOf(1);
    }
  });

  it('is 1 for a store that an older version has made', async () => {
    const prefix = uniquePrefix();
    const redis = connect();
    await redis.hset(`${prefix}:deliver-0:meta`, 'opts.maxLenEvents', '10000');
    // There may have been four, of which the last ones are lost.
    expect(String(await settle(redis, prefix, 4))).to.include('Redis says at least 1').and.not.include('Set SHARDS');
    expect(await settle(redis, prefix, 1)).to.equal('settled');
    expect(await redis.get(shardCountKey(prefix))).to.equal('1');
  });

  it('is not needed to deliver from a full Redis of an older version, and is stored when there is room', async () => {
    const full = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', '--maxmemory', '100mb']);
    closing.push(() => full.close());
    const redis = connect({ REDIS_ADDR: printAddress(full.address) });
    const prefix = uniquePrefix();
    const started = (entry: string, settings: Settings = {}): ServiceProcess => {
      const process = new ServiceProcess(entry, { REDIS_ADDR: printAddress(full.address), QUEUE_PREFIX: prefix, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', ...settings });
      closing.push(() => process.kill());
      return process;
    };
    await redis.hset(`${prefix}:deliver-0:meta`, 'opts.maxLenEvents', '10000');
    await redis.config('SET', 'maxmemory', '1');
    expect(String(await redis.set('anything', '1').catch((error: unknown) => error))).to.include('OOM');
    const [worker, api] = [started('workers/main.js'), started('server/main.js')];
    await worker.hasWritten(/worker is up/);
    const [, url = ''] = await api.hasWritten(/the API is up.*?(http:\/\/127\.0\.0\.1:\d+)/);
    // It refuses what needs memory, and says so; what it has is shown.
    await eventually(async () => { expect((await call(url, '/stats')).status).to.equal(200); });
    const { status, body } = await submit(url, httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 }));
    expect([status, body['code']]).to.deep.equal([503, 'redis_full']);
    expect(await started('workers/main.js', { SHARDS: '4' }).ended()).to.equal(78);
    await redis.config('SET', 'maxmemory', '0');
    await eventually(async () => { expect(await redis.get(shardCountKey(prefix))).to.equal('1'); });
    expect([worker.isRunning, api.isRunning]).to.deep.equal([true, true]);
  });

  it('ends a process with 78 that another one has overtaken while Redis took no writes', async () => {
    const refusing = await PrivateRedis.start(['--min-replicas-to-write', '1']);
    closing.push(() => refusing.close());
    const redis = connect({ REDIS_ADDR: printAddress(refusing.address) });
    const prefix = uniquePrefix();
    const worker = new ServiceProcess('workers/main.js', { REDIS_ADDR: printAddress(refusing.address), QUEUE_PREFIX: prefix, SHARDS: '2' });
    closing.push(() => worker.kill());
    await worker.hasWritten(/worker is up/);
    // In one piece: the worker tries four times a second.
    await redis.pipeline().config('SET', 'min-replicas-to-write', '0').set(shardCountKey(prefix), '3').exec();
    expect(await worker.ended()).to.equal(78);
  });

  it('is 16 for a cluster of an older version, and a process in mode standalone sees it', async () => {
    const cluster = await RedisCluster.start({ masters: 1, replicas: 0 });
    closing.push(() => cluster.close());
    const redis = connect({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses });
    const prefix = uniquePrefix();
    for (let shard = 0; shard < 16; shard += 1) await redis.hset(queueMetaKey(prefix, shard, true), 'opts.maxLenEvents', '10000');
    expect(await settle(connect({ REDIS_ADDR: cluster.addresses }), prefix, 1)).to.be.instanceOf(ShardCountError);
    expect(await settle(redis, prefix, 16)).to.equal('settled');
    expect(await settle(redis, prefix, 64)).to.be.instanceOf(ShardCountError);
    // A part of Redis comes back empty.
    await redis.del(shardCountKey(prefix));
    for (let shard = 1; shard < 15; shard += 1) await redis.del(shardCountKeyOf(prefix, shard, true));
    expect(await settle(redis, prefix, 64)).to.be.instanceOf(ShardCountError);
    expect(await settle(redis, prefix, 16)).to.equal('settled');
    expect([await redis.get(shardCountKey(prefix)), await redis.get(shardCountKeyOf(prefix, 7, true))]).to.deep.equal(['16', '16']);
  });

  for (const count of [1, 4]) {
    it(`of ${count} is known when its key is lost, and is stored again`, async () => {
      const prefix = uniquePrefix();
      const redis = connect();
      expect(await settle(redis, prefix, count)).to.equal('settled');
      await redis.del(shardCountKey(prefix));
      for (const wrong of [2, 8]) expect(await settle(redis, prefix, wrong)).to.be.instanceOf(ShardCountError);
      expect(await redis.get(shardCountKey(prefix)), 'after wrong ones').to.equal(null);
      expect(await settle(redis, prefix, count)).to.equal('settled');
      expect(await redis.get(shardCountKey(prefix))).to.equal(String(count));
    });
  }

  it('is that of the shards that are there, where an older version has stored the key that is lost', async () => {
    const prefix = uniquePrefix();
    const redis = connect();
    for (const shard of [0, 1, 3]) await redis.hset(queueMetaKey(prefix, shard, false), 'opts.maxLenEvents', '10000');
    for (const wrong of [1, 2]) expect(String(await settle(redis, prefix, wrong))).to.include('Redis says at least 4');
    expect(await redis.exists(shardCountKey(prefix)), 'after wrong ones').to.equal(0);
    // There may have been eight: that process waits, and says for what.
    const said: string[] = [];
    let isOver = false;
    const eight = settleShardCount(redis, prefix, 8, () => isOver, { onWait: (what) => said.push(what) }).catch((error: unknown) => error);
    await eventually(() => { expect(said).to.have.lengthOf(1); }, { withinMs: 10_000 });
    expect(said[0]).to.include(`${prefix}:shards`).and.to.include('if SHARDS=8 is right, store it');
    isOver = true;
    expect(await settle(redis, prefix, 4)).to.equal('settled');
    expect(String(await eight)).to.match(/over 4 shards|closed/);
  });

  it('that two places tell differently lets no process start, and is told', async () => {
    const prefix = uniquePrefix();
    const redis = connect();
    expect(await settle(redis, prefix, 4)).to.equal('settled');
    await redis.set(shardCountKey(prefix), '1');
    for (const own of [1, 4]) expect(String(await settle(redis, prefix, own))).to.include('Redis says 1 and 4');
  });
});
