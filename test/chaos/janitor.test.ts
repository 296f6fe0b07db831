import { expect } from 'chai';
import type { Redis } from 'ioredis';

import { jobIdOf } from '../../shared/queue/names.js';
import { eventually } from '../support/eventually.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';
import { type ShardKeys } from '../support/shard-keys.js';
import { profile } from './profile.js';
import { scenario } from './scenario.js';

const PARKED = 700;
const DEAD = 2_000;
const SLOW_MICROSECONDS = 20_000;
const RECORDS_PER_STEP = 200;

/** ARGV: key prefix, key of the set, first number, how many, kind, last record, finishing time, the other fields. */
const fill = `
for n = tonumber(ARGV[3]), tonumber(ARGV[3]) + tonumber(ARGV[4]) - 1 do
  local id = '${jobIdOf('')}' .. ARGV[5] .. n
  redis.call('HSET', ARGV[1] .. id, '${jobField.log}', cjson.encode({ARGV[6]}), '${jobField.finishedAt}', ARGV[7], unpack(cjson.decode(ARGV[8])))
  redis.call('ZADD', ARGV[2], ARGV[7] + n % 1000, id)
end`;

/** The rest of what BullMQ and we write for a task; one field above 64 bytes makes Redis keep, and free, each by itself. */
const FIELDS = JSON.stringify(Object.entries({
  name: 'http https://orders.example.com/hook',
  [jobField.data]: JSON.stringify({ v: 1, i: 'order-1042', s: 'orders', c: 'team-a', d: { u: 'https://orders.example.com/hook' }, x: { u: 'https://orders.example.com/dead' }, r: 3, b: 1_000, n: 0, l: 86_400_000, m: JSON.stringify({ order: 1_042, note: 'x'.repeat(200) }) }),
  [jobField.options]: '{"sha":"gIGqJYqQo9GE8hUHfAATzev1mhrEU0AOin-hGFHh4Cg","attempts":14}',
  [jobField.returnValue]: '{"outcome":"delivered","run":1,"attempt":0,"at":1795539397450,"ms":6,"worker":"vm-6559","receipt":{"httpStatus":200}}',
  timestamp: '1795539397437', [jobField.delay]: '0', [jobField.priority]: '0', processedOn: '1795539397450', [jobField.fetches]: '1', [jobField.attemptsMade]: '1', [jobField.worker]: 'vm-6559',
}).flat());

describe('chaos: the janitor', () => {
  scenario('8b', `${profile.finishedRecords.toLocaleString('en')} finished records, and a leader that is killed`, async (scene) => {
    const own = await scene.ownRedis('--slowlog-max-len', '1000');
    const { ledger, crew, redis, keys } = await scene.stage({ workers: 0, redis: own, settings: { DELIVERED_RETENTION: '1m', DEAD_LETTER_RETENTION: '1m' } });
    const longAgo = Date.now() - 3_600_000;
    await fillSet(redis, keys, 'completed', 'd', profile.finishedRecords, '', longAgo);
    await fillSet(redis, keys, 'failed', 'p', PARKED, JSON.stringify({ kind: 'attempt', next: 'park' }), longAgo);
    await fillSet(redis, keys, 'failed', 'x', DEAD, JSON.stringify({ kind: 'attempt', next: 'dead_lettered' }), longAgo);
    await redis.config('SET', 'slowlog-log-slower-than', SLOW_MICROSECONDS);
    await redis.slowlog('RESET');

    const leader = await crew.hire();
    await eventually(async () => expect(await redis.zcard(keys.completed)).to.be.below(profile.finishedRecords), { withinMs: 10_000, everyMs: 1 });
    process.kill(leader.pid, 'SIGKILL');
    await leader.ended();
    const left = await redis.zcard(keys.completed);
    expect(left, 'killed in the middle of it').to.be.above(0);
    ledger.faultIsOver();
    // The supervisor starts another one. Nothing else completes meanwhile.
    await eventually(async () => {
      expect(await redis.zcard(keys.completed)).to.equal(0);
      expect(await redis.zcard(keys.failed)).to.equal(PARKED);
    }, { withinMs: 200_000, everyMs: 100 });
    const slow = (await redis.slowlog('LEN')) as number;
    const steps = Math.ceil((profile.finishedRecords + PARKED + DEAD) / RECORDS_PER_STEP);
    expect(slow / steps, JSON.stringify(await redis.slowlog('GET', 3))).to.be.at.most(profile.shareOfNoise);
    expect(await redis.dbsize(), 'their records are gone too').to.be.below(PARKED + 50);
    return { ...(await ledger.settle()), parked: PARKED, note: `${left} records were left when the leader died; ${slow} calls of Redis took 20 ms; ${PARKED} parked ones stay` };
  }, { longMs: 400_000, isLongOnly: true });
});

async function fillSet(redis: Redis, keys: ShardKeys, set: 'completed' | 'failed', kind: string, count: number, lastRecord: string, at: number): Promise<void> {
  for (let from = 0; from < count; from += 5_000) {
    await redis.eval(fill, 0, keys.base, keys[set], from, Math.min(5_000, count - from), kind, lastRecord, at, FIELDS);
  }
}
