import { expect } from 'chai';

import { eventually } from '../../support/eventually.js';
import { RedisCluster } from '../../support/redis-cluster.js';
import type { PrivateRedis } from '../../support/redis.js';
import { InProcessService } from '../../support/service-in-process.js';
import { call, cancel, httpTask, retryNow, submit, submitNew, type Answer, type WireTask } from '../../support/tasks.js';

/** The limit is 0.9 s; the rest is for two busy cores. A command that a node refuses was sent 16 times, in 1.6 s at least. */
const ANSWERED_WITHIN_MS = 1_400;
/** A busy machine makes an answer late, never early: so many are measured until one is in time. */
const MEASURED = 3;
const SLOT = 16_383;

const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600, ...changes });

describe('the API on a cluster', () => {
  let cluster: RedisCluster;
  let node: PrivateRedis;
  let service: InProcessService;

  before(async () => {
    cluster = await RedisCluster.start({ masters: 1, replicas: 0 });
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error('a cluster has nodes');
    node = first;
    service = await InProcessService.ready({ shards: 4, redis: { mode: 'cluster', nodes: [node.address], username: undefined, password: undefined, tls: false } });
  });
  after(async () => {
    await service.close();
    await cluster.close();
  });

  async function isRefusedInTime(ask: () => Promise<Answer>): Promise<void> {
    let tookMs = Infinity;
    for (let nth = 0; nth < MEASURED && tookMs >= ANSWERED_WITHIN_MS; nth += 1) {
      const startedAt = performance.now();
      const { status, body, headers } = await ask();
      tookMs = performance.now() - startedAt;
      expect([status, body['code'], headers.get('retry-after')]).to.deep.equal([503, 'redis_unavailable', '1']);
    }
    expect(tookMs, 'ms').to.be.below(ANSWERED_WITHIN_MS);
  }

  /** All shards answer: one alone makes the API ready. */
  const works = (): Promise<void> => eventually(async () => {
    const { status, body } = await call(service.baseUrl, '/readyz');
    expect([status, body['shards_away']]).to.deep.equal([200, undefined]);
  }, { withinMs: 15_000, everyMs: 50 });

  it('answers every call within a second while a slot has no master, and works when it has one', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    await cluster.ask(node, (client) => client.cluster('DELSLOTS', SLOT));
    try {
      for (const ask of [() => submit(service.baseUrl, waiting()), () => call(service.baseUrl, `/tasks/${task.id}`), () => cancel(service.baseUrl, task.id), () => retryNow(service.baseUrl, task.id), () => call(service.baseUrl, '/stats')]) {
        await isRefusedInTime(ask);
      }
    } finally {
      await cluster.ask(node, (client) => client.cluster('ADDSLOTS', [SLOT]));
    }
    await works();
    // Each shard is known to be back by its own next answer.
    await eventually(async () => { expect((await call(service.baseUrl, `/tasks/${task.id}`)).body['state']).to.equal('scheduled'); }, { withinMs: 2_000 });
  });

  it('may have stored a task whose POST it gave up: the same task again is stored once, another content is refused', async () => {
    const task = waiting();
    await node.freeze();
    try {
      await isRefusedInTime(() => submit(service.baseUrl, task));
    } finally {
      node.thaw();
    }
    await works();
    await eventually(async () => { expect([200, 201]).to.include((await submit(service.baseUrl, task)).status); }, { withinMs: 2_000 });
    expect((await submit(service.baseUrl, task)).status).to.equal(200);
    expect((await submit(service.baseUrl, { ...task, message_data: 'other' })).status).to.equal(409);
    expect((await call(service.baseUrl, `/tasks/${task.id}`)).body['run']).to.equal(1);
  });
});
