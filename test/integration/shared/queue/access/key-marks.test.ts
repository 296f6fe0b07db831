import { expect } from 'chai';

import { loadConfig } from '../../../../../shared/config/load.js';
import { KeyMarks } from '../../../../../shared/queue/access/key-marks.js';
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
    expect(await new KeyMarks(shards).isNewest('0')).to.equal(true);
  });

  it('calls a version the newest until a later one is told', async () => {
    const marks = new KeyMarks(shards);
    // Versions of these days have 16 digits.
    expect(await marks.tell('1796037600000001')).to.equal(true);
    expect(await marks.isNewest('1796037600000001')).to.equal(true);
    expect(await marks.isNewest('1796037600000002')).to.equal(true);
    expect(await marks.isNewest('1796037600000000')).to.equal(false);
  });

  it('keeps a later version when an earlier one is told behind it', async () => {
    const marks = new KeyMarks(shards);
    await marks.tell('1796037600000002');
    expect(await marks.tell('1796037600000001')).to.equal(true);
    expect(await marks.isNewest('1796037600000001')).to.equal(false);
  });

  for (const [told, isNewest] of [[2, true], [3, false]] as const) {
    it(`says ${isNewest} of an earlier version where ${told} of ${SHARDS} shards were told of a later one`, async () => {
      expect(await new KeyMarks(shards.slice(0, told)).tell('2')).to.equal(true);
      expect(await new KeyMarks(shards).isNewest('1')).to.equal(isNewest);
    });
  }

  for (const [refusing, counts] of [[2, true], [3, false]] as const) {
    it(`says ${counts} when ${refusing} of ${SHARDS} shards refuse`, async () => {
      for (const { keys } of shards.slice(0, refusing)) await redis.hset(keys.accessVersion, 'no', 'text');
      const marks = new KeyMarks(shards);
      expect(await marks.tell('1')).to.equal(counts);
      for (const { keys } of shards.slice(0, refusing)) await redis.hset(keys.accessVersion, 'no', 'text');
      expect(await marks.isNewest('1')).to.equal(counts);
    });
  }

  it('counts half of the shards as too few', async () => {
    for (const { keys } of shards.slice(0, 2)) await redis.hset(keys.accessVersion, 'no', 'text');
    const four = new KeyMarks(shards.slice(0, 4));
    expect([await four.isNewest('1'), await four.tell('1')]).to.deep.equal([false, false]);
  });
});
