import { expect } from 'chai';

import { loadConfig } from '../../../../../shared/config/load.js';
import { VersionMarks } from '../../../../../shared/queue/access/version-marks.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { TaskQueue } from '../../../../../shared/queue/tasks/task-queue.js';
import { connectRedis, type RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { printAddress, testRedisAddress } from '../../../../support/redis.js';

const SHARDS = 5;

describe('what shards have heard of the access keys', () => {
  let redis: RedisClient;
  let queue: TaskQueue;
  let shards: readonly Shard[];

  beforeEach(async () => {
    redis = connectRedis(loadConfig({ REDIS_ADDR: printAddress(testRedisAddress()) }).redis, 'server');
    queue = new TaskQueue({ redis, prefix: uniquePrefix(), shards: SHARDS, deadAttempts: 1, clock: Date.now });
    shards = await queue.shards();
  });
  afterEach(async () => {
    await queue.close();
    redis.disconnect();
  });

  it('calls every version the newest while none was told', async () => {
    expect(await new VersionMarks(shards, 'accessVersion').isNewest('0')).to.equal(true);
  });

  it('calls a version the newest until a later one is told', async () => {
    const marks = new VersionMarks(shards, 'accessVersion');
    // Versions of these days have 16 digits.
    expect(await marks.tell('1796037600000001')).to.equal(true);
    expect(await marks.isNewest('1796037600000001')).to.equal(true);
    expect(await marks.isNewest('1796037600000002')).to.equal(true);
    expect(await marks.isNewest('1796037600000000')).to.equal(false);
  });

  it('keeps a later version when an earlier one is told behind it', async () => {
    const marks = new VersionMarks(shards, 'accessVersion');
    await marks.tell('1796037600000002');
    expect(await marks.tell('1796037600000001')).to.equal(true);
    expect(await marks.isNewest('1796037600000001')).to.equal(false);
  });

  for (const [told, isNewest] of [[2, true], [3, false]] as const) {
    it(`says ${isNewest} of an earlier version where ${told} of ${SHARDS} shards were told of a later one`, async () => {
      expect(await new VersionMarks(shards.slice(0, told), 'accessVersion').tell('2')).to.equal(true);
      expect(await new VersionMarks(shards, 'accessVersion').isNewest('1')).to.equal(isNewest);
    });
  }

  for (const [refusing, counts] of [[2, true], [3, false]] as const) {
    it(`says ${counts} when ${refusing} of ${SHARDS} shards refuse`, async () => {
      for (const { keys } of shards.slice(0, refusing)) await redis.hset(keys.accessVersion, 'no', 'text');
      const marks = new VersionMarks(shards, 'accessVersion');
      expect(await marks.tell('1')).to.equal(counts);
      for (const { keys } of shards.slice(0, refusing)) await redis.hset(keys.accessVersion, 'no', 'text');
      expect(await marks.isNewest('1')).to.equal(counts);
    });
  }

  it('are not mixed with what they have heard of sessions', async () => {
    await new VersionMarks(shards, 'accessVersion').tell('3');
    await new VersionMarks(shards, 'sessionVersion').tell('2');
    expect(await Promise.all((['accessVersion', 'sessionVersion'] as const).map((of) => new VersionMarks(shards, of).isNewest('2')))).to.deep.equal([false, true]);
  });

  it('counts half of the shards as too few', async () => {
    for (const { keys } of shards.slice(0, 2)) await redis.hset(keys.accessVersion, 'no', 'text');
    const four = new VersionMarks(shards.slice(0, 4), 'accessVersion');
    expect([await four.isNewest('1'), await four.tell('1')]).to.deep.equal([false, false]);
  });
});
