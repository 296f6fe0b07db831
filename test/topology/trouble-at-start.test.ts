import { expect } from 'chai';
import { Redis } from 'ioredis';

import { createReceiver, type Receiver } from '../support/receiver.js';
import { eventually } from '../support/eventually.js';
import { uniquePrefix } from '../support/namespace.js';
import { PrivateRedis, printAddress } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { InProcessService } from '../support/service-in-process.js';
import { ServiceProcess, type Settings } from '../support/service.js';
import { call, httpTask, submitNew } from '../support/tasks.js';

/** From one try to connect to the next it takes a second at most. */
const SOME_TRIES_MS = 4_000;

describe('topology: a start while Redis is in trouble', function () {
  this.timeout(60_000);
  const closing: (() => unknown)[] = [];
  let receiver: Receiver;

  beforeEach(async () => {
    receiver = await createReceiver();
    closing.push(() => receiver.close());
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function startRedis(settings?: readonly string[]): Promise<{ readonly redis: PrivateRedis; readonly admin: Redis }> {
    const redis = await PrivateRedis.start(settings);
    closing.push(() => redis.close());
    const admin = new Redis(redis.clientOptions);
    closing.push(() => admin.disconnect());
    return { redis, admin };
  }

  function start(entry: string, settings: Settings): ServiceProcess {
    const started = new ServiceProcess(entry, settings);
    closing.push(() => started.kill());
    return started;
  }

  const settingsOf = (redis: PrivateRedis, prefix = uniquePrefix()): Settings => ({ REDIS_ADDR: printAddress(redis.address), QUEUE_PREFIX: prefix, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', LOG_LEVEL: 'info' });

  it('names maxclients once where only the connection is refused on which a worker waits, and delivers when there is room', async () => {
    const { redis, admin } = await startRedis();
    const prefix = uniquePrefix();
    const task = httpTask(receiver.url('/'));
    const before = await InProcessService.ready({ redis: redis.address, prefix });
    await submitNew(before.baseUrl, task);
    await before.close();
    // The test's own, and the first one of the worker.
    await admin.config('SET', 'maxclients', 2);
    const worker = start('workers/main.js', settingsOf(redis, prefix));
    await worker.hasWritten(/takes no more connections, check maxclients/);
    const until = performance.now() + SOME_TRIES_MS;
    await eventually(() => { expect(performance.now()).to.be.above(until); }, { withinMs: 2 * SOME_TRIES_MS });
    expect(worker.lines.filter((line) => /maxclients|deliveries/.test(line)).length, `one line says that deliveries pause, one says why:\n${worker.output}`).to.equal(2);
    await admin.config('SET', 'maxclients', '1000');
    await worker.hasWritten(/worker is up/);
    await eventually(() => { expect(receiver.requests.map(({ taskId }) => taskId)).to.deep.equal([task.id]); });
    expect(worker.isRunning, worker.output).to.equal(true);
    expect(await worker.stop()).to.equal(0);
  });

  it('says in the log of both, and in /status, that Redis is still loading its data, and goes on when it has', async () => {
    const { redis, admin } = await startRedis(['--maxmemory-policy', 'noeviction', '--enable-debug-command', 'yes', '--rdbcompression', 'no', '--loading-process-events-interval-bytes', '1024']);
    for (let nth = 0; nth < 4_000; nth += 1) await admin.set(`key-${nth}`, 'x'.repeat(1_024));
    await admin.config('SET', 'key-load-delay', 10_000);
    // 40 s, if nobody ends it.
    const loaded = admin.call('DEBUG', 'RELOAD');
    loaded.catch(() => undefined); // the test may have failed, and closed it
    const other = new Redis({ ...redis.clientOptions, enableReadyCheck: false });
    closing.push(() => other.disconnect());
    await eventually(async () => { expect(await other.ping().catch(String)).to.include('LOADING'); }, { withinMs: 10_000 });

    const settings = settingsOf(redis);
    const worker = start('workers/main.js', settings);
    const api = start('server/main.js', settings);
    const [, baseUrl = ''] = await api.hasWritten(/the API is up.*?(http:\/\/127\.0\.0\.1:\d+)/);
    for (const each of [worker, api]) await each.hasWritten(/redis does not let us in.*is still loading its data: LOADING/);
    expect((await call(baseUrl, '/status')).body).to.have.nested.property('reasons[0].message').that.includes('is still loading its data');
    await other.config('SET', 'key-load-delay', 0);
    await loaded;
    await worker.hasWritten(/worker is up/);
    await eventually(async () => { expect((await call(baseUrl, '/readyz')).status).to.equal(200); });
    await submitNew(baseUrl, httpTask(receiver.url('/')));
    await eventually(() => { expect(receiver.requests).to.have.lengthOf(1); });
    for (const each of [worker, api]) expect(each.lines.filter((line) => line.includes('does not let us in')), each.output).to.have.lengthOf(1);
  });

  it('says that the Cluster is down, and how much of it, and goes on when it is whole', async () => {
    const cluster = await RedisCluster.start({ masters: 3, replicas: 0 });
    closing.push(() => cluster.close());
    const [living, dead] = cluster.nodes;
    if (living === undefined || dead === undefined) throw new Error('a cluster has nodes');
    await dead.kill();
    await eventually(async () => { expect(await cluster.ask(living, (client) => client.cluster('INFO'))).to.include('cluster_state:fail').and.include('cluster_slots_pfail:0'); }, { withinMs: 20_000 });
    const worker = start('workers/main.js', { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, QUEUE_PREFIX: uniquePrefix(), LOG_LEVEL: 'info' });
    await worker.hasWritten(/redis does not let us in.*says that the cluster is down \(cluster_state:fail\): 546[12] of 16384 slots have no master that works/);
    await dead.restart();
    await worker.hasWritten(/worker is up/);
    expect(worker.lines.filter((line) => line.includes('slots have no master')), worker.output).to.have.lengthOf(1);
  });
});
