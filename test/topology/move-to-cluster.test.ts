import { expect } from 'chai';

import { createReceiver } from '../support/receiver.js';
import { eventually } from '../support/eventually.js';
import { PrivateRedis } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { InProcessService } from '../support/service-in-process.js';
import { call, httpTask } from '../support/tasks.js';

describe('topology: from one Redis to a Cluster, without a stop', function () {
  this.timeout(120_000);
  const closing: (() => unknown)[] = [];
  after(async () => {
    for (const close of closing.reverse()) await close();
  });

  it('delivers each task once, while clients are pointed to the new API', async () => {
    const receiver = await createReceiver();
    closing.push(() => receiver.close());
    const old = await PrivateRedis.start();
    closing.push(() => old.close());
    const cluster = await RedisCluster.start({ masters: 3, replicas: 0 });
    closing.push(() => cluster.close());
    const before = await InProcessService.ready({ redis: old.address });
    closing.push(() => before.close());
    const after = await InProcessService.ready({ shards: 16, redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false } });
    closing.push(() => after.close());
    await Promise.all([before.startWorker(), after.startWorker()]);
    // As a load balancer has it.
    let api = before.baseUrl;
    const acked = new Map<string, string>();
    let nth = 0;
    let isOver = false;
    const client = async (): Promise<void> => {
      while (!isOver) {
        const id = `task-${(nth += 1)}`;
        const to = api;
        const { status } = await call(to, '/tasks', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(httpTask(receiver.url('/hook'), { id, initial_delay: (nth % 20) / 10 })) });
        expect(status).to.equal(201);
        acked.set(id, to);
      }
    };
    const clients = Promise.all(Array.from({ length: 4 }, client));
    clients.catch(() => undefined);
    await eventually(() => { expect(acked.size).to.be.at.least(100); }, { withinMs: 30_000 });
    api = after.baseUrl;
    await eventually(() => { expect([...acked.values()].filter((to) => to === after.baseUrl).length).to.be.at.least(100); }, { withinMs: 30_000 });
    isOver = true;
    await clients;
    await eventually(() => { expect(receiver.requests.length).to.be.at.least(acked.size); }, { withinMs: 30_000 });
    const received = receiver.requests.map(({ taskId }) => taskId);
    expect(received.filter((id, index) => received.indexOf(id) !== index), 'sent twice').to.deep.equal([]);
    expect([...acked.keys()].filter((id) => !received.includes(id)), 'lost').to.deep.equal([]);
    console.log(`      ${acked.size} tasks, 0 lost, 0 twice`);
  });
});
