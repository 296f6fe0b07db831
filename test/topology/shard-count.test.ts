import { expect } from 'chai';

import { loadConfig } from '../../shared/config/load.js';
import { shardCountKey } from '../../shared/queue/names.js';
import { settleShardCount, ShardCountError } from '../../shared/queue/engine/shard-count.js';
import { connectRedis, type RedisClient } from '../../shared/redis/redis-connection.js';
import { uniquePrefix } from '../support/namespace.js';
import { printAddress, testRedisAddress } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { ServiceProcess, type Settings } from '../support/service.js';

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
    expect(await settle(redis, prefix, 4)).to.be.instanceOf(ShardCountError);
    expect(await settle(redis, prefix, 1)).to.equal('settled');
    expect(await redis.get(shardCountKey(prefix))).to.equal('1');
  });

  it('is 16 for a cluster of an older version, and a process in mode standalone sees it', async () => {
    const cluster = await RedisCluster.start({ masters: 1, replicas: 0 });
    closing.push(() => cluster.close());
    const redis = connect({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses });
    const prefix = uniquePrefix();
    await redis.hset(`{${prefix}-0}:deliver-0:meta`, 'opts.maxLenEvents', '10000');
    expect(await settle(connect({ REDIS_ADDR: cluster.addresses }), prefix, 1)).to.be.instanceOf(ShardCountError);
    expect(await settle(redis, prefix, 16)).to.equal('settled');
    expect(await settle(redis, prefix, 64)).to.be.instanceOf(ShardCountError);
  });
});
