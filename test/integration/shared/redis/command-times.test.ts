import { expect } from 'chai';

import { timeCommands } from '../../../../shared/redis/command-times.js';
import type { RedisClient } from '../../../../shared/redis/redis-connection.js';
import { eventually } from '../../../support/eventually.js';
import { connect } from '../../../support/service-in-process.js';

describe('timeCommands', () => {
  let redis: RedisClient;
  let times: number[];
  beforeEach(async () => {
    redis = connect('worker');
    await eventually(() => { expect(redis.status).to.equal('ready'); });
    times = [];
    timeCommands(redis, (ms) => times.push(ms));
  });
  afterEach(() => redis.disconnect());

  it('tells of every sixteenth command how long it took, scripts and those of a transaction among them', async () => {
    for (let nth = 1; nth < 16; nth += 1) await redis.get('nothing');
    expect(times).to.have.lengthOf(0);
    // Redis takes 20 ms for it.
    await redis.eval(`local function ms() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
      local from = ms() while ms() < from + 20 do end return 1`, 0);
    expect(times).to.have.lengthOf(1);
    expect(times[0]).to.be.above(15);
    await redis.multi(Array.from({ length: 14 }, () => ['get', 'nothing'])).exec();
    expect(times, 'MULTI, 14 commands and EXEC').to.have.lengthOf(2);
  });

  it('tells of one that fails, and gives its failure to the caller alone', async () => {
    for (let nth = 1; nth < 16; nth += 1) await redis.get('nothing');
    expect(String(await redis.call('GET').catch((error: unknown) => error))).to.include('wrong number of arguments');
    expect(times).to.have.lengthOf(1);
  });

  it('leaves out what waits inside Redis: the next command is timed in its place', async () => {
    for (let nth = 1; nth < 16; nth += 1) await redis.get('nothing');
    await redis.bzpopmin('nothing-there', 0.01);
    expect(times).to.have.lengthOf(0);
    await redis.get('nothing');
    expect(times).to.have.lengthOf(1);
  });
});
