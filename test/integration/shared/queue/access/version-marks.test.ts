import { expect } from 'chai';

import { loadConfig } from '../../../../../shared/config/load.js';
import { VersionMarks } from '../../../../../shared/queue/access/version-marks.js';
import type { QueueClient } from '../../../../../shared/queue/engine/queue-client.js';
import { versionMarkKeys } from '../../../../../shared/queue/fleet-keys.js';
import { TaskQueue } from '../../../../../shared/queue/tasks/task-queue.js';
import { connectRedis, type RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { printAddress, testRedisAddress } from '../../../../support/redis.js';

describe('what marks were told of the access keys', () => {
  let redis: RedisClient;
  let queue: TaskQueue;
  let client: QueueClient;
  let keys: readonly string[];
  let sessionKeys: readonly string[];

  beforeEach(async () => {
    const prefix = uniquePrefix();
    redis = connectRedis(loadConfig({ REDIS_ADDR: printAddress(testRedisAddress()) }).redis, 'server');
    queue = new TaskQueue({ redis, prefix, shards: 1, deadAttempts: 1, clock: Date.now });
    const [shard] = await queue.shards();
    if (shard === undefined) throw new Error('there is one shard');
    ({ client } = shard);
    const marks = versionMarkKeys(prefix);
    keys = marks.map(({ accessVersion }) => accessVersion);
    sessionKeys = marks.map(({ sessionVersion }) => sessionVersion);
  });
  afterEach(async () => {
    await queue.close();
    redis.disconnect();
  });

  const refuse = async (count: number): Promise<void> => {
    for (const key of keys.slice(0, count)) await redis.hset(key, 'no', 'text');
  };

  it('calls every version the newest while none was told', async () => {
    expect(await new VersionMarks(client, keys).isNewest('0')).to.equal(true);
  });

  it('calls a version the newest until a later one is told', async () => {
    const marks = new VersionMarks(client, keys);
    // Versions of these days have 16 digits.
    expect(await marks.tell('1796037600000001')).to.equal(true);
    expect(await marks.isNewest('1796037600000001')).to.equal(true);
    expect(await marks.isNewest('1796037600000002')).to.equal(true);
    expect(await marks.isNewest('1796037600000000')).to.equal(false);
  });

  it('keeps a later version when an earlier one is told behind it', async () => {
    const marks = new VersionMarks(client, keys);
    await marks.tell('1796037600000002');
    expect(await marks.tell('1796037600000001')).to.equal(true);
    expect(await marks.isNewest('1796037600000001')).to.equal(false);
  });

  for (const [told, isNewest] of [[7, true], [8, false]] as const) {
    it(`says ${isNewest} of an earlier version where ${told} of 15 marks were told of a later one`, async () => {
      expect(await new VersionMarks(client, keys.slice(0, told)).tell('2')).to.equal(true);
      expect(await new VersionMarks(client, keys).isNewest('1')).to.equal(isNewest);
    });
  }

  for (const [refusing, counts] of [[7, true], [8, false]] as const) {
    it(`says ${counts} when ${refusing} of 15 marks refuse`, async () => {
      await refuse(refusing);
      const marks = new VersionMarks(client, keys);
      expect(await marks.tell('1')).to.equal(counts);
      await refuse(refusing);
      expect(await marks.isNewest('1')).to.equal(counts);
    });
  }

  it('are not mixed with what they were told of sessions', async () => {
    const marks = [keys, sessionKeys].map((each) => new VersionMarks(client, each));
    await marks[0]?.tell('3');
    await marks[1]?.tell('2');
    expect(await Promise.all(marks.map((each) => each.isNewest('2')))).to.deep.equal([false, true]);
  });

  it('counts half of the marks as too few', async () => {
    await refuse(2);
    const four = new VersionMarks(client, keys.slice(0, 4));
    expect([await four.isNewest('1'), await four.tell('1')]).to.deep.equal([false, false]);
  });
});
