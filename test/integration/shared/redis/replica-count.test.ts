import { expect } from 'chai';
import { Redis } from 'ioredis';

import { readReplicas } from '../../../../shared/redis/replica-count.js';
import { eventually } from '../../../support/eventually.js';
import { PrivateRedis } from '../../../support/redis.js';

describe('replicas of a real Redis', function () {
  this.timeout(30_000);

  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => { for (const close of closers.splice(0).reverse()) await close(); });

  it('are counted when they are in step, and no more when they have died', async () => {
    const master = await PrivateRedis.start(['--repl-diskless-sync-delay', '0']);
    closers.push(() => master.close());
    const client = new Redis({ ...master.clientOptions });
    closers.push(async () => { client.disconnect(); });
    expect(await readReplicas(client)).to.equal(0);
    const replica = await PrivateRedis.start(['--replicaof', master.address.host, String(master.address.port)]);
    closers.push(() => replica.close());
    await eventually(async () => expect(await readReplicas(client)).to.equal(1), { withinMs: 15_000 });
    await replica.kill();
    await eventually(async () => expect(await readReplicas(client)).to.equal(0), { withinMs: 5_000 });
  });
});
