import { expect } from 'chai';
import { Redis } from 'ioredis';

import { ConnectionPool } from '../../../../shared/redis/connection-pool.js';
import { classifyRedisError } from '../../../../shared/redis/redis-error.js';
import type { RedisClient } from '../../../../shared/redis/redis-connection.js';
import { replicatedScript, ReplicatedWrites } from '../../../../shared/redis/replicated-writes.js';
import { eventually } from '../../../support/eventually.js';
import { PrivateRedis } from '../../../support/redis.js';
import { connect } from '../../../support/service-in-process.js';
import { SlowLink } from '../../../support/slow-link.js';
import { waitForReplica } from '../../../support/wait-for-replica.js';

const LIMIT_MS = 900;
const write = replicatedScript("return redis.call('INCR', KEYS[1])");

describe('writes that wait for replicas', function () {
  this.timeout(30_000);
  const closers: (() => unknown)[] = [];
  afterEach(async () => { for (const close of closers.splice(0).reverse()) await close(); });

  async function start(settings: readonly string[] = []): Promise<{ readonly server: PrivateRedis; readonly client: Redis }> {
    const server = await PrivateRedis.start(['--repl-diskless-sync-delay', '0', ...settings]);
    closers.push(() => server.close());
    const client = new Redis({ ...server.clientOptions });
    client.on('error', () => undefined);
    closers.push(() => client.disconnect());
    return { server, client };
  }

  /** An address of its own for a server; later it may lead to another one. */
  async function linkTo(server: PrivateRedis): Promise<SlowLink> {
    const link = await SlowLink.to(server.address);
    closers.push(() => link.close());
    return link;
  }

  function writesTo(port: number): { readonly redis: RedisClient; readonly writes: ReplicatedWrites; readonly run: () => Promise<unknown> } {
    const redis = connect('server', { host: '127.0.0.1', port });
    const writes = new ReplicatedWrites(redis, 1);
    closers.push(() => redis.disconnect(), () => writes.close());
    return { redis, writes, run: () => writes.run(write, [1, 'count'], 'mark', LIMIT_MS) };
  }

  async function pair(): Promise<{ readonly master: Awaited<ReturnType<typeof start>>; readonly replica: Awaited<ReturnType<typeof start>> }> {
    const master = await start();
    const replica = await start(['--replicaof', '127.0.0.1', String(master.server.address.port)]);
    await waitForReplica(master.server);
    return { master, replica };
  }

  it('follow an operator who makes another server the master behind the same address', async () => {
    const { master, replica } = await pair();
    const link = await linkTo(master.server);
    const { run } = writesTo(link.address.port);
    await eventually(run);
    await replica.client.replicaof('NO', 'ONE');
    await master.client.replicaof('127.0.0.1', replica.server.address.port);
    link.leadTo(replica.server.address);
    const classes = new Set<string>();
    await eventually(async () => {
      await run().catch((error: unknown) => {
        classes.add(classifyRedisError(error));
        throw error;
      });
    }, { withinMs: 15_000 });
    expect([...classes], 'until then').to.deep.equal(['unavailable']);
  });

  it('prove a change when two addresses lead to one server, and open nothing after the end', async () => {
    const { master } = await pair();
    const { address: { port } } = await linkTo(master.server);
    const { redis, writes, run } = writesTo(master.server.address.port);
    await eventually(() => redis.ping());
    if (!(redis instanceof Redis)) throw new Error('one server');
    // What the pool opens goes there.
    redis.options.port = port;
    const others: unknown[] = [];
    await eventually(async () => {
      // A replica on a busy machine may take longer than the 0.7 s for which a write waits. Then this is refused, too, and rightly so.
      const answer = await writes.after('mark', () => redis.set('changed', '1'), LIMIT_MS).catch((error: unknown) => {
        if (!String(error).includes('0 of 1 replicas')) others.push(error);
        throw error;
      });
      expect(answer).to.equal('OK');
    });
    expect(others).to.deep.equal([]);
    writes.close();
    expect(await run().catch((error: unknown) => classifyRedisError(error))).to.equal('unavailable');
  });

  it('wait for a connection of a server that is there, whether it is lent or was closed for idleness', async () => {
    const { server, client } = await start();
    await eventually(() => client.ping());
    const own: Redis[] = [];
    const pool = new ConnectionPool(1, () => {
      const connection = new Redis({ ...server.clientOptions });
      own.push(connection);
      return connection;
    }, () => client.status === 'ready');
    closers.push(() => pool.close());
    const ping = (): Promise<string> => pool.use(performance.now() + 5_000, (connection) => connection.ping());
    await ping();
    // In one turn.
    expect(await Promise.all([ping(), ping(), ping()])).to.deep.equal(['PONG', 'PONG', 'PONG']);
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventually(() => { expect(own[0]?.status).to.not.equal('ready'); }, { everyMs: 1 });
    expect(await ping()).to.equal('PONG');
  });
});
