import { expect } from 'chai';

import { createReceiver, type Receiver } from '../support/receiver.js';
import { eventually } from '../support/eventually.js';
import { uniquePrefix } from '../support/namespace.js';
import { PrivateRedis, printAddress } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { InProcessService } from '../support/service-in-process.js';
import { call, cancel, getTask, httpTask, retryNow, type WireTask } from '../support/tasks.js';

const json = { 'content-type': 'application/json' };

describe('topology: from one Redis to a Cluster, without a stop', function () {
  this.timeout(120_000);
  const closing: (() => unknown)[] = [];
  let receiver: Receiver;
  let old: PrivateRedis;
  /** The old API, and the new one, which reads the old Redis too. */
  let before: InProcessService;
  let after: InProcessService;

  beforeEach(async () => {
    receiver = await createReceiver();
    closing.push(() => receiver.close());
    old = await PrivateRedis.start();
    closing.push(() => old.close());
    const cluster = await RedisCluster.start({ masters: 3, replicas: 0 });
    closing.push(() => cluster.close());
    const prefix = uniquePrefix();
    before = await InProcessService.ready({ redis: old.address, prefix });
    closing.push(() => before.close());
    after = await InProcessService.ready({
      shards: 16,
      prefix,
      redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false },
      settings: { PREVIOUS_REDIS_ADDR: printAddress(old.address) },
    });
    closing.push(() => after.close());
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const post = (to: string, id: string, fields: Partial<WireTask>, headers: Readonly<Record<string, string>> = {}) =>
    call(to, '/tasks', { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(httpTask(receiver.url('/hook'), { id, ...fields })) });
  const change = (method: string, path: string, body: object) => call(after.baseUrl, path, { method, headers: json, body: JSON.stringify(body) });

  it('delivers each task once, while clients are pointed to the new API and repeat there what they have sent to the old one', async () => {
    await Promise.all([before.startWorker(), after.startWorker()]);
    // As a load balancer has it.
    let api = before.baseUrl;
    const acked = new Map<string, string>();
    let nth = 0;
    let isOver = false;
    const submit = (to: string, id: string) => post(to, id, { initial_delay: (Number(id.slice(5)) % 20) / 10 }, { 'idempotency-key': id });
    const client = async (): Promise<void> => {
      while (!isOver) {
        const id = `task-${(nth += 1)}`;
        const to = api;
        const { status } = await submit(to, id);
        expect(status).to.equal(201);
        acked.set(id, to);
      }
    };
    const clients = Promise.all(Array.from({ length: 4 }, client));
    clients.catch(() => undefined);
    await eventually(() => { expect(acked.size).to.be.at.least(100); }, { withinMs: 30_000 });
    api = after.baseUrl;
    // The answers of the old API are taken to be lost.
    const repeated = [...acked.keys()];
    const statuses = await Promise.all(repeated.map(async (id) => (await submit(api, id)).status));
    expect(new Set(statuses), 'known, waiting or delivered').to.deep.equal(new Set([200]));
    await eventually(() => { expect([...acked.values()].filter((to) => to === after.baseUrl).length).to.be.at.least(100); }, { withinMs: 30_000 });
    isOver = true;
    await clients;
    await eventually(() => { expect(receiver.requests.length).to.be.at.least(acked.size); }, { withinMs: 30_000 });
    const states = await Promise.all([...acked.keys()].map(async (id) => (await call(after.baseUrl, `/tasks/${id}`)).status));
    expect(new Set(states), 'the new API knows all of them').to.deep.equal(new Set([200]));
    const received = receiver.requests.map(({ taskId }) => taskId);
    expect(received.filter((id, index) => received.indexOf(id) !== index), 'sent twice').to.deep.equal([]);
    expect([...acked.keys()].filter((id) => !received.includes(id)), 'lost').to.deep.equal([]);
    console.log(`      ${acked.size} tasks, ${repeated.length} of them repeated at the new API, 0 lost, 0 twice`);
  });

  it('reads and changes a task of the old Redis by its id, and takes nothing that the old one may know while that is away', async () => {
    const later = { initial_delay: 3_600 };
    for (const id of ['read', 'edited', 'cancelled', 'retried']) expect((await post(before.baseUrl, id, later)).status).to.equal(201);
    expect(await getTask(after.baseUrl, 'read')).to.deep.include({ id: 'read', state: 'scheduled' });
    expect(await post(after.baseUrl, 'read', later)).to.deep.include({ status: 200 });
    expect(await post(after.baseUrl, 'read', { initial_delay: 1 }), 'other content').to.deep.include({ status: 409 });
    const batch = await change('POST', '/tasks/batch', [httpTask(receiver.url('/hook'), { id: 'read', ...later }), httpTask(receiver.url('/hook'), { id: 'new', ...later })]);
    expect(batch.body).to.have.property('results').that.containSubset([{ id: 'read', status: 200 }, { id: 'new', status: 201 }]);
    expect(await change('PATCH', '/tasks/edited', { max_retries: 7 })).to.deep.include({ status: 200 });
    expect(await cancel(after.baseUrl, 'cancelled')).to.deep.include({ status: 200 });
    expect(await retryNow(after.baseUrl, 'retried')).to.deep.include({ status: 202 });
    // All of it was done in the old store.
    expect((await call(before.baseUrl, '/tasks/edited/submission')).body).to.deep.include({ max_retries: 7 });
    expect(await getTask(before.baseUrl, 'cancelled')).to.deep.include({ state: 'cancelled' });
    expect((await call(before.baseUrl, '/tasks/new')).status).to.equal(404);
    for (const [method, path] of [['GET', ''], ['DELETE', ''], ['POST', '/retry']] as const) expect((await call(after.baseUrl, `/tasks/nowhere${path}`, { method })).status, method).to.equal(404);

    const ready = async (): Promise<unknown> => {
      const { status, body: { checks } } = await call(after.baseUrl, '/readyz');
      return [status, checks];
    };
    expect(await ready()).to.deep.equal([200, { redis: 'ok' }]);
    await old.kill();
    await eventually(async () => { expect(await ready()).to.deep.equal([503, { redis: 'ok', previous: 'failed' }]); });
    await eventually(async () => {
      const { status, reasons } = (await call(after.baseUrl, '/status')).body as { readonly status: string; readonly reasons: readonly { readonly code: string; readonly message: string }[] };
      const said = reasons.filter(({ code }) => code === 'redis_unavailable').map(({ message }) => message.split(':')[0]);
      expect([status, said]).to.deep.equal(['down', ['the old Redis (PREVIOUS_REDIS_ADDR) cannot be read']], 'no worker runs here');
    });
    await eventually(async () => { expect(await post(after.baseUrl, 'unknown', later)).to.deep.include({ status: 503 }); });
    expect((await call(after.baseUrl, '/tasks/new')).status, 'of the new store').to.equal(200);
  });
});
