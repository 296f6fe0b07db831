import { Queue, type IRedisClient } from 'bullmq';
import { expect } from 'chai';

import { luaFunction } from '../../../../../shared/queue/engine/bullmq-script.js';
import type { RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { definedScripts } from '../../../../../shared/redis/transaction.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { connect } from '../../../../support/service-in-process.js';

describe('luaFunction', () => {
  let redis: RedisClient;
  let queue: Queue;
  let client: IRedisClient;

  before(async () => {
    redis = connect('worker');
    queue = new Queue('scripts', { connection: redis, prefix: uniquePrefix() });
    client = await queue.getBackend().client;
  });
  after(async () => {
    await queue.obliterate({ force: true });
    await queue.close();
    redis.disconnect();
  });

  it('refuses a script that BullMQ has not defined, also one whose name only begins so', () => {
    expect(() => luaFunction(client, 'moveToNowhere', 'move', 1)).to.throw(TypeError, 'BullMQ has not defined moveToNowhere');
    expect(() => luaFunction(client, 'moveToFin', 'move', 14)).to.throw(TypeError, 'BullMQ has not defined moveToFin');
  });

  it('answers as the script does, each time that it is called', async () => {
    await queue.add('job', {}, { jobId: 'due' });
    await queue.add('job', {}, { jobId: 'later', delay: 60_000 });
    const script = Object.keys(definedScripts(client)).find((name) => name.startsWith('getCounts:')) ?? '';
    const args = [queue.toKey(''), 'wait', 'delayed', 'completed'];
    client.defineCommand('counts-twice', { numberOfKeys: 1, lua: `${luaFunction(client, 'getCounts', 'counts', 1)}\nreturn {counts(KEYS, ARGV), counts(KEYS, ARGV)}` });
    const own: unknown = await client.runCommand(script, args);
    expect(own).to.deep.equal([1, 1, 0]);
    expect(await client.runCommand('counts-twice', args)).to.deep.equal([own, own]);
  });
});
