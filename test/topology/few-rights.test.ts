import { readFileSync } from 'node:fs';

import { expect } from 'chai';
import { Redis } from 'ioredis';

import { shardOf } from '../../shared/queue/names.js';
import { aclRule } from '../../shared/redis/redis-rights.js';
import { eventually } from '../support/eventually.js';
import { PrivateRedis } from '../support/redis.js';
import { createReceiver } from '../support/receiver.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { Service, ServiceProcess } from '../support/service.js';
import { InProcessService } from '../support/service-in-process.js';
import { call, httpTask, submit, uniqueId } from '../support/tasks.js';

const PASSWORD = 'of-few-rights';
const rule = aclRule('bull');
const file = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

describe('topology: a user of Redis with few rights', function () {
  this.timeout(60_000);
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  it('has the rule that docs/OPERATIONS.md and docker-compose.yml show', () => {
    const [, shown = ''] = /ACL SETUSER retry-service on '>PASSWORD' ([^`]+)/.exec(file('docs/OPERATIONS.md')) ?? [];
    expect(shown.replace(/[\\']/g, '').trim().split(/\s+/)).to.deep.equal(rule);
    const [, inCompose = ''] = /"--user", "retry-service", "on", ">[^"]+", ([^\]]+)/.exec(file('docker-compose.yml')) ?? [];
    expect([...inCompose.matchAll(/"([^"]+)"/g)].map(([, word]) => word)).to.deep.equal(rule);
  });

  it('can do everything, and Redis refuses it nothing', async () => {
    const redis = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', '--user', 'retry-service', 'on', `>${PASSWORD}`, ...rule]);
    closing.push(() => redis.close());
    const receiver = await createReceiver();
    closing.push(() => receiver.close());
    const service = await InProcessService.ready({ prefix: 'bull', redis: { mode: 'standalone', address: redis.address, username: 'retry-service', password: PASSWORD, tls: false, db: 0 } });
    closing.push(() => service.close());
    await service.startWorker();
    const call = async (method: string, path: string, body?: unknown, expected: readonly number[] = [200, 201, 202, 204]): Promise<Record<string, unknown>> => {
      const answer = await fetch(service.baseUrl + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' } }) });
      const text = await answer.text();
      expect(expected, `${method} ${path}: ${answer.status} ${text.slice(0, 300)}`).to.include(answer.status);
      return text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
    };
    receiver.on('/fails', { kind: 'answer', status: 500 });
    const [good, bad] = [receiver.url('/good'), receiver.url('/fails')];
    const later = { initial_delay: 3_600 };
    for (const [id, url, changes] of [
      ['delivered', good, {}], ['urgent', good, { is_priority: true }], ['retried', bad, { max_retries: 1 }],
      ['dead', bad, { dead_destination: { url: good } }], ['parked', bad, { on_exhausted: 'park' }], ['later', good, later], ['edited', good, later], ['cancelled', good, later],
    ] as const) await call('POST', '/tasks', httpTask(url, { id, ...changes }));
    await call('POST', '/tasks', httpTask(good, { id: 'later', ...later }));
    await call('POST', '/tasks/batch', [httpTask(good), httpTask(good)], [207]);
    const state = (id: string, wanted: string): Promise<void> => eventually(async () => { expect(await call('GET', `/tasks/${id}`)).to.include({ state: wanted }); }, { withinMs: 20_000 });
    await state('delivered', 'delivered');
    await state('urgent', 'delivered');
    await state('dead', 'dead_lettered');
    await state('parked', 'parked');
    await call('PATCH', '/tasks/edited', { message_data: '{"a":1}', is_priority: true });
    await call('POST', '/tasks/edited/retry');
    await state('edited', 'delivered');
    await call('DELETE', '/tasks/cancelled');
    await call('POST', '/tasks/dead/retry');
    const key = `/destinations/${encodeURIComponent(good)}`;
    await call('PUT', key, { max_concurrency: 2, rate: 100 });
    await call('POST', `${key}/pause`);
    await call('POST', '/tasks', httpTask(good, { id: 'held' }));
    await call('POST', `${key}/resume`);
    await state('held', 'delivered');
    await call('DELETE', key);
    await call('POST', '/bulk-actions', { id: 'again', action: 'redrive', filter: { state: 'parked' }, reason: 'tried' });
    await eventually(async () => { expect(await call('GET', '/bulk-actions/again')).to.include({ state: 'done' }); }, { withinMs: 20_000 });
    await call('POST', '/keys', { name: 'reads', role: 'read' });
    for (const path of ['/tasks?client_id=team-a', '/tasks?error_code=http_server_error&limit=10', '/counts?by=client_id', '/stats', '/status', '/history', '/failures', '/audit', '/destinations', key, '/keys', '/bulk-actions', '/metrics', '/health', '/readyz', '/admin/queues/api/queues?activeQueue=deliver-0&status=failed&page=1&jobsPerPage=10', '/admin/queues/api/queues?activeQueue=deliver-0&status=delayed&page=1&jobsPerPage=10']) await call('GET', path, undefined, [200]);
    const admin = new Redis(redis.address);
    closing.push(() => admin.disconnect());
    const refused = ((await admin.call('ACL', 'LOG')) as unknown[]).map(String);
    // A search does without it.
    expect(refused.filter((entry) => !entry.includes('object,sort_ro')), 'what Redis refused').to.deep.equal([]);
  });

  it('goes on while a slot of a Cluster moves, and Redis refuses it nothing', async () => {
    const cluster = await RedisCluster.start({ replicas: 0 });
    closing.push(() => cluster.close());
    for (const node of cluster.nodes) await cluster.ask(node, (client) => client.acl('SETUSER', 'retry-service', 'on', `>${PASSWORD}`, ...rule));
    const receiver = await createReceiver();
    closing.push(() => receiver.close());
    const service = await Service.start({ prefix: 'bull', settings: { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, REDIS_USERNAME: 'retry-service', REDIS_PASSWORD: PASSWORD } });
    closing.push(() => service.close());
    const idOfShard0 = (): string => {
      for (;;) {
        const id = uniqueId();
        if (shardOf(id, 16) === 0) return id;
      }
    };
    const { slot, owner } = await cluster.ownerOf('{bull-0}');
    const other = cluster.nodes.find((node) => node !== owner);
    if (other === undefined) throw new Error('there is one node');
    await cluster.ask(other, (client) => client.config('RESETSTAT'));
    await cluster.beginMove(slot, owner, other);
    // What is not there is asked for at the other node.
    await eventually(async () => {
      await call(service.baseUrl, `/tasks/${idOfShard0()}`);
      expect(await cluster.ask(other, (client) => client.info('commandstats'))).to.match(/cmdstat_asking:calls=[1-9]/);
    });
    await cluster.moveSlot(slot, owner, other, { pauseMs: 300 });
    const task = httpTask(receiver.url('/moved'), { id: idOfShard0(), initial_delay: 0 });
    await eventually(async () => { expect((await submit(service.baseUrl, task)).status).to.be.oneOf([200, 201]); });
    await eventually(() => { expect(receiver.requestsFor(task.id)).to.have.lengthOf(1); }, { withinMs: 20_000 });
    for (const node of cluster.nodes) {
      const refused = (await cluster.ask(node, (client) => client.call('ACL', 'LOG')) as unknown[]).map(String);
      expect(refused.filter((entry) => !entry.includes('object,sort_ro'))).to.deep.equal([]);
    }
    expect(service.output).to.not.include('uncaught');
  });

  it('is told in one line which right it lacks', async () => {
    const redis = await PrivateRedis.start(['--user', 'retry-service', 'on', `>${PASSWORD}`, ...rule, '-zrandmember', '-hstrlen', '-rpush', '-wait']);
    closing.push(() => redis.close());
    const api = new ServiceProcess('server/main.js', { REDIS_MIN_REPLICAS: '1', REDIS_ADDR: `127.0.0.1:${redis.address.port}`, REDIS_USERNAME: 'retry-service', REDIS_PASSWORD: PASSWORD, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' });
    closing.push(() => api.kill());
    expect(await api.ended()).to.equal(78);
    expect(api.lines.filter((line) => line.includes('redis user retry-service may not use WAIT, HSTRLEN, RPUSH, ZRANDMEMBER: see ACL SETUSER'))).to.have.lengthOf(1);
  });
});
