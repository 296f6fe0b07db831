import { Queue, type IRedisClient } from 'bullmq';
import { expect } from 'chai';

import { EngineMismatchError } from '../../../../../shared/queue/engine/engine-mismatch.js';
import { luaFunction } from '../../../../../shared/queue/engine/bullmq-script.js';
import type { RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { bullmqScripts } from '../../../../../shared/queue/engine/bullmq-contract.js';
import { definedScripts } from '../../../../../shared/queue/engine/defined-scripts.js';
import { recordAdd } from '../../../../../shared/queue/engine/recorded-add.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { connect } from '../../../../support/service-in-process.js';

/** A list of one short text in MessagePack, in which BullMQ hands lists to this script. */
function packedList(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x91, 0xa0 + text.length]), Buffer.from(text)]);
}

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

  it('refuses a script that BullMQ has not defined, also when another one only begins with its name', () => {
    const { 'promote:6.7.0': promote, ...others } = definedScripts(client);
    if (promote === undefined) throw new Error('no promote');
    expect(() => luaFunction({ ...others, 'promoteAll:6.7.0': promote }, 'promote', 'move')).to.throw(EngineMismatchError, 'expected a script promote, found none');
  });

  it('answers as the script does, each time that it is called', async () => {
    await queue.add('job', {}, { jobId: 'held' });
    const base = queue.toKey('');
    // A job without a lock: the script answers that it could not renew it.
    const args = [queue.toKey('stalled'), base, packedList('token'), packedList('held'), '1000'];
    client.defineCommand('extend-twice', { numberOfKeys: 1, lua: `${luaFunction(definedScripts(client), 'extendLocks', 'extend')}\nreturn {extend(KEYS, ARGV), extend(KEYS, ARGV)}` });
    const own: unknown = await client.runCommand('extendLocks:6.7.0', args);
    expect(own).to.deep.equal(['held']);
    expect(await client.runCommand('extend-twice', args)).to.deep.equal([own, own]);
  });

  it('forgets between two calls what the first one has set, in a script whose functions stand between its statements', async () => {
    // Without an id BullMQ takes the next number, which is 3 after two jobs. It would take the id of the call before, if that were still there.
    const jobs = ['first', '', 'last'].map((id) => recordAdd(queue, { id, name: `job ${id}`, data: JSON.stringify({ id }), opts: { delay: 60_000 }, timestamp: 1_000 }).args);
    const { keys, values } = bullmqScripts.addDelayedJob;
    const lua = `${luaFunction(definedScripts(client), 'addDelayedJob', 'add')}
      local ids = {}
      for at = 0, #ARGV - 1, ${values} do ids[#ids + 1] = add(KEYS, { ARGV[at + 1], ARGV[at + 2], ARGV[at + 3] }) end
      return ids`;
    expect(lua.indexOf('local function storeJob')).to.be.lessThan(lua.indexOf('add = function'));
    client.defineCommand('add-thrice', { numberOfKeys: keys, lua });
    const [first = []] = jobs;
    const ids: unknown = await client.runCommand('add-thrice', [...first.slice(0, keys), ...jobs.flatMap((args) => args.slice(keys))]);
    expect(ids).to.deep.equal(['first', '3', 'last']);
    const stored = await Promise.all(['first', '3', 'last'].map((id) => queue.getJob(id)));
    expect(stored.map((job) => [job?.name, job?.data as unknown, job?.delay])).to.deep.equal([
      ['job first', { id: 'first' }, 60_000],
      ['job ', { id: '' }, 60_000],
      ['job last', { id: 'last' }, 60_000],
    ]);
  });
});
