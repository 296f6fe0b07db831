import { expect } from 'chai';

import { EngineMismatchError } from '../../../../../shared/queue/engine/engine-mismatch.js';
import { smallMulti } from '../../../../../shared/queue/engine/small-multi.js';
import type { RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { connect } from '../../../../support/service-in-process.js';

describe('a small MULTI', () => {
  const key = `${uniquePrefix()}:small-multi`;
  let redis: RedisClient;

  before(() => {
    redis = connect('worker');
    redis.defineCommand('smallMultiFirst', { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
    redis.defineCommand('smallMultiSecond', { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1])" });
  });
  after(async () => {
    await redis.del(key);
    redis.disconnect();
  });

  it('runs its script, alone or several times, on the connection that it was made for', async () => {
    const begin = smallMulti(redis, 'smallMultiFirst');
    expect(await begin().runCommand('smallMultiFirst', [key, 2]).exec()).to.deep.equal([[null, 2]]);
    const twice = begin();
    twice.runCommand('smallMultiFirst', [key, 3]);
    twice.runCommand('smallMultiFirst', [key, 4]);
    expect(await twice.exec()).to.deep.equal([
      [null, 5],
      [null, 9],
    ]);
    expect(await redis.get(key)).to.equal('9');
  });

  it('holds no command but its own, which is why it is cheap', () => {
    const ioredis = redis.multi() as unknown as Record<string, unknown>;
    expect(Object.keys(ioredis), 'if ioredis copies them no more, small-multi.ts is not needed').to.include('smallMultiSecond');
    expect(() => smallMulti(redis, 'smallMultiFirst')().runCommand('smallMultiSecond', [key])).to.throw(TypeError, 'smallMultiFirst alone');
  });

  it('is refused for a script that the connection has not got', () => {
    expect(() => smallMulti(redis, 'smallMultiThird')).to.throw(EngineMismatchError, 'smallMultiThird');
  });
});
