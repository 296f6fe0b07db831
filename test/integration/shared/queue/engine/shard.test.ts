import { setImmediate as turn } from 'node:timers/promises';

import { expect } from 'chai';

import { loadConfig } from '../../../../../shared/config/load.js';
import { TaskQueue } from '../../../../../shared/queue/tasks/task-queue.js';
import { connectRedis } from '../../../../../shared/redis/redis-connection.js';
import { RefusalLog } from '../../../../../shared/redis/refusal-log.js';
import { eventually } from '../../../../support/eventually.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { PrivateRedis, printAddress, testRedisAddress } from '../../../../support/redis.js';
import { RedisCluster } from '../../../../support/redis-cluster.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { call, httpTask, submit } from '../../../../support/tasks.js';

describe('the shards of a queue', () => {
  it('are opened when a master is back that was frozen at the start', async function () {
    this.timeout(60_000);
    const cluster = await RedisCluster.start({ masters: 3, replicas: 0, nodeTimeoutMs: 60_000, settings: ['--cluster-require-full-coverage', 'no'] });
    const frozen = cluster.nodes[2];
    await frozen?.freeze();
    const service = await InProcessService.start({ redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false }, shards: 16 });
    try {
      // While it tries to open them. Whether the first try fails or waits depends on the node that is asked.
      expect((await submit(service.baseUrl, httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 }))).status).to.equal(503);
      frozen?.thaw();
      await eventually(async () => { expect((await call(service.baseUrl, '/stats')).body['is_complete']).to.equal(true); }, { withinMs: 20_000, everyMs: 100 });
      for (let nth = 0; nth < 20; nth += 1) expect((await submit(service.baseUrl, httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 }))).status).to.equal(201);
    } finally {
      frozen?.thaw();
      await service.close();
      await cluster.close();
    }
  });

  it('are asked for again in the moment in which the connection is there', async () => {
    const redis = connectRedis(loadConfig({ REDIS_ADDR: printAddress(testRedisAddress()) }).redis, 'server');
    try {
      const queue = new TaskQueue({ redis, prefix: uniquePrefix(), shards: 1, deadAttempts: 10, clock: Date.now });
      // It is asked before that, which fails, as when a process starts.
      const opened = queue.ready();
      await new Promise((resolve) => redis.once('ready', resolve));
      let asked = false;
      const get = redis.get.bind(redis) as (...args: unknown[]) => Promise<string | null>;
      Object.assign(redis, { get: (...args: unknown[]) => {
        asked = true;
        return get(...args);
      } });
      await turn();
      expect(asked).to.equal(true);
      await opened;
      await queue.close();
    } finally {
      redis.disconnect();
    }
  });

  it('are opened after a failure, on the same connection', async () => {
    const server = await PrivateRedis.start();
    const redis = connectRedis(loadConfig({ REDIS_ADDR: printAddress(server.address) }).redis, 'server');
    try {
      await new Promise((resolve) => redis.once('ready', resolve));
      await redis.acl('SETUSER', 'default', '-info');
      const lines: string[] = [];
      const log = (message: string, fields: unknown): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
      const queue = new TaskQueue({ redis, prefix: uniquePrefix(), shards: 4, deadAttempts: 10, clock: Date.now, refusals: new RefusalLog({ error: log, info: log }) });
      expect(await queue.ready().catch((error: unknown) => String(error))).to.include('NOPERM');
      expect(await queue.ping().catch((error: unknown) => error)).to.have.property('code', 'redis_refused');
      expect(lines.join()).to.match(/^redis refuses .*NOPERM.*'info'/);
      await redis.acl('SETUSER', 'default', '+info');
      // A ping opens nothing: it only says whether they are open.
      await eventually(() => queue.ping());
      await queue.close();
    } finally {
      redis.disconnect();
      await server.close();
    }
  });

  it('are opened for a new store at the address of a read-only replica, which is told as for any store', async function () {
    this.timeout(30_000);
    const server = await PrivateRedis.start(['--replicaof', '127.0.0.1 1']);
    const service = await InProcessService.start({ redis: loadConfig({ REDIS_ADDR: printAddress(server.address) }).redis });
    try {
      // For the first 5 s it may be a failover.
      await eventually(async () => { expect((await submit(service.baseUrl, httpTask('http://127.0.0.1:9/'))).body).to.include({ code: 'redis_refused' }); }, { withinMs: 20_000, everyMs: 200 });
      // On a busy machine a look of the API may be late once.
      await eventually(async () => { expect((await call(service.baseUrl, '/readyz')).body['checks']).to.deep.equal({ redis: 'refused' }); });
    } finally {
      await service.close();
      await server.close();
    }
  });

  it('leave nothing open when they are closed while they open', async () => {
    const redis = connectRedis(loadConfig({ REDIS_ADDR: printAddress(testRedisAddress()) }).redis, 'server');
    try {
      await redis.ping().catch(() => new Promise((resolve) => redis.once('ready', resolve)));
      const listeners = (): Record<string, number> => Object.fromEntries(['ready', 'error', 'close', 'end'].map((event) => [event, redis.listenerCount(event)]));
      const before = listeners();
      const queue = new TaskQueue({ redis, prefix: uniquePrefix(), shards: 4, deadAttempts: 10, clock: Date.now, watchesShards: true });
      const ready = queue.ready().then(() => 'open', (error: unknown) => String(error));
      await queue.close();
      expect(await ready).to.include('Connection is closed');
      expect(listeners()).to.deep.equal(before);
    } finally {
      redis.disconnect();
    }
  });
});
