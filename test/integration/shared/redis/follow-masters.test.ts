import { expect } from 'chai';

import { connectRedis, isCluster, type RedisClient } from '../../../../shared/redis/redis-connection.js';
import { checkRedisSettings } from '../../../../shared/redis/redis-watch.js';
import { createLogger } from '../../../../shared/logging/logger.js';
import { withinLimit } from '../../../../shared/lifecycle/time-limit.js';
import { eventually } from '../../../support/eventually.js';
import { CollectedLog } from '../../../support/service-in-process.js';
import { printAddress } from '../../../support/redis.js';
import { RedisCluster } from '../../../support/redis-cluster.js';

/** Less than the 15 s after which a connection that is silent is given up. */
const LEFT_WITHIN_MS = 9_000;
const KEY = '{followed}:list';

describe('the clients of a worker, when a master is replaced that is frozen', function () {
  this.timeout(60_000);
  let cluster: RedisCluster;
  const clients: RedisClient[] = [];
  const open = <T extends RedisClient>(client: T): T => {
    client.on('error', () => undefined); // a node is frozen on purpose
    clients.push(client);
    return client;
  };

  before(async () => { cluster = await RedisCluster.start({ masters: 1, replicas: 1 }); });
  after(async () => {
    for (const client of clients) client.disconnect();
    await cluster.close();
  });

  it('leave it while it is still frozen, a client that waits too, and tell of a new master that evicts', async () => {
    const [master] = await cluster.masters();
    if (master === undefined) throw new Error('no master');
    const heir = await cluster.replicaOf(master);
    // A replica that has got nothing yet is not told to clients.
    await cluster.ask(master, (admin) => admin.set('{followed}:before', '1'));
    await eventually(async () => { expect(await cluster.ask(master, (admin) => admin.cluster('SLOTS'))).to.have.nested.property('[0][3]'); });
    const client = open(connectRedis({ mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false }, 'worker'));
    if (!isCluster(client)) throw new Error('it is the client of a cluster');
    await cluster.ask(heir, (admin) => admin.config('SET', 'maxmemory-policy', 'volatile-lru'));
    await eventually(() => { expect(client.status).to.equal('ready'); });
    const log = new CollectedLog();
    await checkRedisSettings(client, 'prod', createLogger({ level: 'error', environment: 'prod', role: 'worker' }, log));
    // As BullMQ makes the one on which an idle worker waits.
    const waiting = open(client.duplicate());
    expect(await client.get('{followed}:before')).to.equal('1');
    const woken = waiting.bzpopmin(KEY, 60);
    await eventually(async () => { expect(await cluster.ask(master, (admin) => admin.client('LIST'))).to.include('cmd=bzpopmin'); });
    await master.freeze();
    try {
      const written = client.zadd(KEY, 1, 'here');
      await cluster.takeOver(heir, 'TAKEOVER');
      const late = (what: string) => (): Error => new Error(`${what} keeps to the old master`);
      expect(await withinLimit(written, LEFT_WITHIN_MS, late('a write'))).to.equal(1);
      expect(await withinLimit(woken, LEFT_WITHIN_MS, late('a wait'))).to.deep.equal([KEY, 'here', '1']);
      await eventually(() => { expect(log.text).to.include(`Redis ${printAddress(heir.address)} has maxmemory-policy volatile-lru`); });
    } finally {
      master.thaw();
    }
  });
});
