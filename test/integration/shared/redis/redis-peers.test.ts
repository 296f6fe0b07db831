import { expect } from 'chai';

import { connectRedis } from '../../../../shared/redis/redis-connection.js';
import { watchRedisPeers } from '../../../../shared/redis/redis-peers.js';
import { eventually } from '../../../support/eventually.js';
import { PrivateRedis } from '../../../support/redis.js';
import { MASTER_NAME, Sentinel } from '../../../support/sentinel-redis.js';

describe('the addresses of our own Redis', function () {
  this.timeout(30_000);

  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => { for (const close of closers.splice(0).reverse()) await close(); });

  it('are those of master, replicas, sentinels and of what the operator has named, one of which is away', async () => {
    const master = await PrivateRedis.start(['--repl-diskless-sync-delay', '0'], undefined, { config: '' });
    closers.push(() => master.close());
    const { host, port } = master.address;
    const replica = await PrivateRedis.start(['--replicaof', host, String(port)]);
    closers.push(() => replica.close());
    const sentinel = await Sentinel.start(master.address, { quorum: 1 });
    closers.push(() => sentinel.close());
    const sentinels = [sentinel.address, { host: 'no-such-sentinel.invalid', port: 26_379 }, { host: '127.0.0.1', port: 9 }];
    const asker = connectRedis({ mode: 'standalone', address: master.address, db: 0, tls: false, username: undefined, password: undefined }, 'worker');
    closers.push(async () => { asker.disconnect(); });
    await eventually(async () => expect(await asker.info('replication')).to.contain(`port=${replica.address.port}`));
    const redis = connectRedis({ mode: 'sentinel', sentinels, masterName: MASTER_NAME, sentinelPassword: undefined, sentinelTls: false, db: 0, tls: false, username: undefined, password: undefined }, 'worker');
    redis.on('error', () => undefined);
    closers.push(async () => { redis.disconnect(); });
    const isOwn = watchRedisPeers(redis, [{ host: 'localhost', port: 7 }]);
    for (const own of [port, replica.address.port, sentinel.address.port, 7, 9]) {
      await eventually(() => {
        expect(isOwn('127.0.0.1', own), String(own)).to.equal(true);
        // All of them are on this machine, to which each loopback address leads.
        expect([isOwn('::ffff:127.0.0.1', own), isOwn('127.0.0.2', own), isOwn('8.8.8.8', own)]).to.deep.equal([true, true, false]);
      });
    }
    for (const away of ['localhost', '127.0.0.1']) {
      const gone = connectRedis({ mode: 'standalone', address: { host: away, port: 9 }, db: 0, tls: false, username: undefined, password: undefined }, 'server');
      gone.on('error', () => undefined);
      closers.push(async () => { gone.disconnect(); });
      const isGone = watchRedisPeers(gone);
      await eventually(() => expect(isGone('127.0.0.1', 9), away).to.equal(true));
    }
    expect([isOwn('127.0.0.1', 80), isOwn('127.0.0.1', 26_379), isOwn('127.0.0.1', 6_379)]).to.deep.equal([false, false, false]);
  });
});
