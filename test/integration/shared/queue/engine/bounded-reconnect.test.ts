import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';

import { expect } from 'chai';
import { Cluster, Redis } from 'ioredis';

import { DeliveringWorker } from '../../../../../shared/queue/engine/delivering-worker.js';
import { eventually } from '../../../../support/eventually.js';
import { PrivateRedis } from '../../../../support/redis.js';
import { RedisCluster } from '../../../../support/redis-cluster.js';

const LAST_SLOT = 16_383;
const KEYS = '{reconnect}';

/** Resolves to false when it has no outcome although everything that was under way has been read. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  await new Promise(setImmediate);
  return (await Promise.race([promise.catch(() => undefined), Promise.resolve(pending)])) !== pending;
}

describe('a connection to a cluster that lacks a slot while it connects', () => {
  let cluster: RedisCluster;
  let node: PrivateRedis;

  const give = (): Promise<unknown> => cluster.ask(node, (client) => client.cluster('ADDSLOTS', [LAST_SLOT]));
  const take = (): Promise<unknown> => cluster.ask(node, (client) => client.cluster('DELSLOTS', LAST_SLOT));

  before(async () => {
    cluster = await RedisCluster.start({ masters: 1, replicas: 0 });
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error('no node');
    node = first;
  });
  after(() => cluster.close());

  beforeEach(take);
  afterEach(() => cluster.isWhole());

  it('is ready when the slot is there, and the promise of connect() never settles: what ioredis does', async () => {
    const client = new Cluster([node.address], { lazyConnect: true, clusterRetryStrategy: () => 50 });
    client.on('error', () => undefined);
    try {
      const connecting = client.connect();
      // The ready check has failed: the cluster is not whole.
      await once(client, 'close');
      await give();
      await once(client, 'ready');
      expect(await client.get('anything')).to.equal(null);
      expect(await isSettled(connecting), 'if it settles, bounded-reconnect.ts is not needed any more').to.equal(false);
    } finally {
      client.disconnect();
      await give().catch(() => undefined); // it is there already, as a rule
    }
  });

  describe('of a worker', () => {
    let worker: DeliveringWorker;
    let close: () => void;

    beforeEach(async () => {
      await give();
      await cluster.isWhole();
      // One that checks as ioredis does by default. Those that connectRedis makes for the waits of workers do not check: follow-masters.ts.
      const redis = new Cluster([node.address], { redisOptions: { maxRetriesPerRequest: null }, clusterRetryStrategy: () => 50 });
      redis.on('error', () => undefined); // a slot is away on purpose
      worker = new DeliveringWorker('reconnect', async () => undefined, { redis, marker: `${KEYS}:reconnect:marker`, clock: Date.now, prefix: KEYS, lockDuration: 30_000 });
      worker.on('error', () => undefined);
      await worker.waitUntilReady();
      close = () => redis.disconnect();
      // As after a wait in vain, which is what a failover begins with.
      await worker.getBackend().disconnectBlocking(true);
      await take();
    });
    afterEach(async () => {
      await give().catch(() => undefined); // a test gave it
      await worker.retire();
      close();
    });

    it('counts as connected again when the slot is there', async () => {
      const client = await worker.getBackend().blockingClient;
      if (client === undefined) throw new Error('a worker has a connection that blocks');
      const reconnected = worker.getBackend().reconnectBlocking();
      await new Promise<void>((resolve) => client.once('close', () => resolve()));
      await give();
      await reconnected;
      await eventually(() => { expect(client.status).to.equal('ready'); });
    });

    it('is not waited for any longer after 2 s', async () => {
      const startedAt = performance.now();
      await worker.getBackend().reconnectBlocking();
      expect(performance.now() - startedAt).to.be.within(1_900, 20_000);
      expect(worker.calls.oldest).to.equal(undefined);
    });
  });
});

describe('a worker that is stopped while the connection on which it waits is being made', () => {
  it('opens no other one behind its stop', async () => {
    const server = await PrivateRedis.start(['--maxmemory-policy', 'noeviction']);
    const redis = new Redis({ ...server.address, maxRetriesPerRequest: null });
    redis.on('error', () => undefined); // the server ends first
    try {
      const worker = new DeliveringWorker('reconnect', async () => undefined, { redis, marker: `${KEYS}:reconnect:marker`, clock: Date.now, prefix: KEYS, lockDuration: 30_000 });
      worker.on('error', () => undefined);
      await worker.waitUntilReady();
      const client = await worker.getBackend().blockingClient;
      if (client === undefined) throw new Error('a worker has a connection that blocks');
      await worker.getBackend().disconnectBlocking(true);
      // It takes connections and answers none of them.
      await server.freeze();
      const first = worker.getBackend().reconnectBlocking().catch(() => undefined);
      await eventually(() => { expect(client.status).to.equal('connect'); });
      // The loop goes on after 2 s, and connects again: BullMQ then waits for what is being made.
      const second = worker.getBackend().reconnectBlocking().catch(() => undefined);
      const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
      await worker.retire();
      server.thaw();
      await Promise.all([ended, first, second]);
      await turn();
      expect(client.status).to.equal('end');
    } finally {
      server.thaw();
      redis.disconnect();
      await server.close();
    }
  });
});
