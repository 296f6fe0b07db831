import { expect } from 'chai';
import { Redis } from 'ioredis';

import { RedisAccess } from '../../../../shared/redis/redis-access.js';
import { connectRedis } from '../../../../shared/redis/redis-connection.js';
import { eventually } from '../../../support/eventually.js';
import { PrivateRedis } from '../../../support/redis.js';

/** From one look at why a connection fails to the next it takes 10 s. */
const TWO_LOOKS_MS = 40_000;
const LATER_MS = 1_500;

describe('RedisAccess', function () {
  this.timeout(60_000);
  const closing: (() => unknown)[] = [];

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  it('names once what keeps another connection of the process out, however often that one fails meanwhile', async () => {
    const server = await PrivateRedis.start([]);
    closing.push(() => server.close());
    const admin = new Redis(server.clientOptions);
    closing.push(() => admin.disconnect());
    const config = { mode: 'standalone', address: server.address, db: 0, username: undefined, password: undefined, tls: false } as const;
    const redis = connectRedis(config, 'server');
    closing.push(() => redis.disconnect());
    const lines: string[] = [];
    const access = new RedisAccess(redis, config, { error: (message: string) => void lines.push(message), info: () => undefined }, { written: ['bull:x'], allowed: new Map() });
    closing.push(() => access.close());
    await access.admission;
    await admin.config('SET', 'maxclients', '2');
    const refusals = async (): Promise<number> => Number(/rejected_connections:(\d+)/.exec(await admin.info('stats'))?.[1]);
    access.connectionFailed();
    await eventually(() => { expect(lines).to.deep.equal(['redis does not let us in']); }, { withinMs: TWO_LOOKS_MS });
    const ofOneLook = await refusals();
    // It looks twice a second whether all is well. The other connection tries again later than that.
    const until = performance.now() + LATER_MS;
    await eventually(() => { expect(performance.now()).to.be.above(until); });
    await eventually(async () => {
      access.connectionFailed();
      // The third look begins when the second has told what it has found.
      expect(await refusals()).to.be.above(2 * ofOneLook);
    }, { withinMs: TWO_LOOKS_MS, everyMs: 200 });
    expect(lines).to.deep.equal(['redis does not let us in']);
  });
});
