import { once } from 'node:events';

import { expect } from 'chai';
import { Redis } from 'ioredis';

import { classifyRedisError, redisErrorCode } from '../../../../shared/redis/redis-error.js';
import { eventually } from '../../../support/eventually.js';
import { PrivateRedis } from '../../../support/redis.js';
import { RefusingRedis, refusals, type Refusal } from '../../../support/refusing-redis.js';

const SET = "return redis.call('set', KEYS[1], 'x')";
const PCALL = "local reply = redis.pcall('set', KEYS[1], 'x') return {reply}";

/** What was thrown; a MULTI and a script can also put an error among their replies. */
async function errorOf(work: Promise<unknown>): Promise<unknown> {
  try {
    const replies: unknown = await work;
    const flat = Array.isArray(replies) ? replies.flat() : [];
    return flat.find((reply) => reply instanceof Error);
  } catch (error) {
    return error;
  }
}

/** The same write in all the ways in which the service writes. */
function writes(redis: Redis): Record<string, () => Promise<unknown>> {
  return {
    'a command': () => redis.set('key', 'x'),
    'a script': () => redis.eval(SET, 1, 'key'),
    'a script that catches': () => redis.eval(PCALL, 1, 'key'),
    'a MULTI': () => redis.multi().set('key', 'x').exec(),
    'a script in a MULTI': () => redis.multi().eval(SET, 1, 'key').exec(),
  };
}

describe('errors of a real Redis', () => {
  let server: RefusingRedis;
  let redis: Redis;

  beforeEach(async () => {
    server = await RefusingRedis.start();
    redis = new Redis({ ...server.redis.address, commandTimeout: 2_000 });
    redis.on('error', () => undefined);
  });
  afterEach(async () => {
    redis.disconnect();
    await server.close();
  });

  for (const [name, refusal] of Object.entries<Refusal>(refusals)) {
    it(`are refused in every way in which the service writes: ${name}`, async () => {
      await redis.set('key', 'x');
      await refusal.begin(server.admin);
      const lastsMs = refusal.code === 'READONLY' ? 5_000 : 0;
      for (const [way, write] of Object.entries(writes(redis))) {
        const error = await errorOf(write());
        const isTaken = refusal.takesCommands === true && !way.includes('script');
        if (isTaken) expect(error, way).to.equal(undefined);
        else expect(classifyRedisError(error, lastsMs), `${way}: ${String(error)}`).to.equal('refused');
      }
      await refusal.end(server.admin);
      for (const write of Object.values(writes(redis))) expect(await errorOf(write())).to.equal(undefined);
    });
  }

  it('are refused to a user who lacks a command or a key', async () => {
    await server.admin.acl('SETUSER', 'limited', 'on', '>pw', '~ours:*', '+@all', '-set');
    const limited = new Redis({ ...server.redis.address, username: 'limited', password: 'pw' });
    try {
      for (const work of [limited.set('ours:key', 'x'), limited.eval(SET, 1, 'ours:key'), limited.get('other'), limited.eval("return redis.call('get', 'other')", 0)]) {
        const error = await errorOf(work);
        expect(classifyRedisError(error), String(error)).to.equal('refused');
      }
    } finally {
      limited.disconnect();
    }
  });

  it('are refused when the password is wrong', async () => {
    const stranger = new Redis({ ...server.redis.address, username: 'admin', password: 'wrong', retryStrategy: () => null });
    const error = await new Promise((resolve) => stranger.once('error', resolve));
    expect(classifyRedisError(error), String(error)).to.equal('refused');
  });

  it('are refused for a key of another type', async () => {
    await redis.lpush('key', 'x');
    for (const work of [redis.zadd('key', 1, 'x'), redis.eval("return redis.call('zadd', KEYS[1], 1, 'x')", 1, 'key'), redis.multi().zadd('key', 1, 'x').exec()]) {
      expect(classifyRedisError(await errorOf(work))).to.equal('refused');
    }
  });

  it('are full when maxmemory is used up; DEL goes on', async () => {
    await server.admin.config('SET', 'maxmemory', '1');
    for (const [way, write] of Object.entries(writes(redis))) expect(classifyRedisError(await errorOf(write())), way).to.equal('full');
    expect(await redis.del('never-there')).to.equal(0);
  });

  it('are unavailable while a script does not end, and on a replica without its master', async () => {
    await server.admin.config('SET', 'busy-reply-threshold', '10');
    const other = new Redis(server.redis.address);
    const endless = other.eval('while true do end', 0).catch(() => undefined);
    await eventually(async () => expect(redisErrorCode(await errorOf(redis.get('key')))).to.equal('BUSY'));
    for (const [way, write] of Object.entries(writes(redis))) expect(classifyRedisError(await errorOf(write())), way).to.equal('unavailable');
    await redis.script('KILL');
    await endless;
    other.disconnect();

    await server.admin.config('SET', 'replica-serve-stale-data', 'no');
    await server.admin.replicaof('127.0.0.1', 1);
    for (const [way, write] of Object.entries(writes(redis))) expect(classifyRedisError(await errorOf(write())), way).to.equal('unavailable');
  });

  it('are a bug when the script or the command is wrong', async () => {
    const works = [redis.call('FOO'), redis.call('GET'), redis.call('EVAL', 'return 1', '3', 'a'), redis.eval('return x.y', 0), redis.eval('retur', 0), redis.eval("return redis.call('get', KEYS[4])", 1, 'a')];
    for (const work of works) {
      const error = await errorOf(work);
      expect(classifyRedisError(error), String(error)).to.equal('bug');
    }
  });
});

describe('errors of ioredis without an answer of Redis', () => {
  let server: PrivateRedis;

  beforeEach(async () => { server = await PrivateRedis.start([]); });
  afterEach(() => server.close());

  async function expectUnavailable(work: Promise<unknown>, text: RegExp): Promise<void> {
    const error = await errorOf(work);
    expect(String(error)).to.match(text);
    expect(classifyRedisError(error), String(error)).to.equal('unavailable');
  }

  it('are unavailable: a time limit, a connection that is closed, one that is not there yet', async () => {
    const redis = new Redis({ ...server.address, commandTimeout: 100, enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: () => 1_000 });
    redis.on('error', () => undefined);
    await expectUnavailable(redis.get('key'), /isn't writeable/);
    await once(redis, 'ready');
    await server.freeze();
    await expectUnavailable(redis.get('key'), /Command timed out/);
    // Looked at from now on: it fails while the server is being ended.
    const inFlight = expectUnavailable(redis.get('key'), /max retries|closed/);
    await server.kill();
    await inFlight;
    await expectUnavailable(redis.multi().get('key').exec(), /isn't writeable|closed/);
    redis.disconnect();
    await expectUnavailable(redis.get('key'), /Connection is closed|isn't writeable/);
  });

  it('are unavailable: nothing listens there', async () => {
    await server.kill();
    const redis = new Redis({ ...server.address, maxRetriesPerRequest: 1, retryStrategy: () => 10 });
    const refused = new Promise((resolve) => redis.on('error', resolve));
    await expectUnavailable(redis.get('key'), /max retries/);
    expect(classifyRedisError(await refused)).to.equal('unavailable');
    redis.disconnect();
  });
});
