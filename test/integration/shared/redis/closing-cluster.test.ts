import { expect } from 'chai';

import { RedisCluster } from '../../../support/redis-cluster.js';
import { connectRedis, isCluster } from '../../../../shared/redis/redis-connection.js';

const KEY = '{moved}:key';

describe('a client of a Cluster that is made anew', function () {
  this.timeout(30_000);
  let cluster: RedisCluster;

  before(async () => {
    cluster = await RedisCluster.start({ masters: 3, replicas: 0 });
  });
  after(() => cluster.close());

  for (const [what, ofWhat] of [['a client', false], ['one that BullMQ makes from it', true]] as const) {
    it(`is back when a node names another one while it disconnects: ${what}`, async () => {
      const first = connectRedis({ mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false }, 'worker');
      if (!isCluster(first)) throw new Error('it is made for a cluster');
      const client = ofWhat ? first.duplicate() : first;
      for (const each of [first, client]) each.on('error', () => undefined); // the cluster ends first when this fails
      try {
        await client.set(KEY, 'value');
        const { slot, owner } = await cluster.ownerOf(KEY);
        const other = cluster.nodes.find((node) => node !== owner);
        if (other === undefined) throw new Error('there is one node alone');
        await cluster.moveSlot(slot, owner, other);
        // It does not know yet, so that the answer is MOVED. That is read when it has begun to end its connections.
        const answer = client.get(KEY);
        client.disconnect(true);
        expect(await answer).to.equal('value');
        expect(await client.get(KEY)).to.equal('value');
      } finally {
        client.disconnect();
        first.disconnect();
      }
    });
  }
});
