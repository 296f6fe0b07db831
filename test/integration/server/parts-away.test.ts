import { expect } from 'chai';

import { routeTable } from '../../../server/route-table.js';
import { printReport } from '../../../shared/domain/flow/flow-report.js';
import { shardOf } from '../../../shared/queue/names.js';
import { flowKeys } from '../../../shared/queue/fleet-keys.js';
import { boardRows, json, ORIGIN, parts, PLACE, post, rows, type Asked, type Part } from '../../support/every-call.js';
import { eventually } from '../../support/eventually.js';
import { PrivateRedis } from '../../support/redis.js';
import { RedisCluster } from '../../support/redis-cluster.js';
import { InProcessService } from '../../support/service-in-process.js';
import { call, httpTask, submitNew, uniqueId, type Answer, type WireTask } from '../../support/tasks.js';

/*
 * On a cluster each part of what the service keeps stands in a slot of its own, and the node of one may be away alone. The table says
 * what each call answers then: it shows and does what the other parts allow.
 */

const SHARDS = 3;
/** The shard that is taken away. */
const AWAY = 2;

/** The id of a task whose shard stays. */
function idThere(): string {
  for (;;) {
    const id = uniqueId();
    if (shardOf(id, SHARDS) !== AWAY) return id;
  }
}

const waits = (changes: Partial<WireTask> = {}): WireTask => httpTask(`${ORIGIN}/`, { id: idThere(), initial_delay: 3_600, ...changes });

describe('the API while a part of Redis is away', () => {
  let redis: PrivateRedis;
  let service: InProcessService;

  before(async () => {
    redis = await PrivateRedis.start();
    service = await InProcessService.ready({ redis: redis.address, shards: SHARDS });
    // No worker runs, so it stays as it is.
    expect((await call(service.baseUrl, '/bulk-actions', json('POST', { id: 'made', action: 'send_now', filter: { client_id: 'nobody' } }))).status).to.equal(201);
    // The scripts of all calls are loaded while they may be.
    for (const row of [...Object.values(rows), ...Object.values(boardRows)]) await row.ask(await newAsked());
  });
  after(async () => {
    await service.close();
    await redis.close();
  });
  afterEach(async () => {
    await service.redis.call('ACL', 'SETUSER', 'default', 'allkeys');
  });

  async function newTask(changes: Partial<WireTask> = {}): Promise<string> {
    const task = waits(changes);
    await submitNew(service.baseUrl, task);
    return task.id;
  }

  async function newAsked(): Promise<Asked> {
    const id = await newTask();
    return { baseUrl: service.baseUrl, id, waits, queue: `deliver-${shardOf(id, SHARDS)}` };
  }

  /** Only the keys of the other parts may be touched from now on: Redis answers, and this part cannot be asked. */
  async function takeAway(part: Part | 'bulk'): Promise<void> {
    const { prefix } = service;
    const keys: Record<string, string> = { 'bulk': `${prefix}:bulk:*`, 'flow': `${prefix}:flow:*`, 'access': `${prefix}:access:*`, 'credentials': `${prefix}:credentials:*`, 'test-sends': `${prefix}:test-sends:*`, 'stats': `${prefix}:stats:*`, 'audit': `${prefix}:audit:*`, 'shard-0': `${prefix}:deliver-0*`, 'shard-1': `${prefix}:deliver-1*`, 'shard-2': `${prefix}:deliver-2*` };
    // On a Cluster keys share the slot of flow control.
    const gone = part === 'shard' ? [`shard-${AWAY}`] : part === 'flow' ? ['flow', 'access', 'credentials', 'test-sends'] : [part];
    await service.redis.call('ACL', 'SETUSER', 'default', 'resetkeys', ...Object.entries(keys).flatMap(([name, pattern]) => (gone.includes(name) ? [] : [`~${pattern}`])));
  }

  /** On a busy machine the time of a count may be over before it comes to the shard that is away. */
  async function toItsEnd(name: string, answer: { readonly status: number; readonly body?: unknown }): Promise<{ readonly status: number }> {
    const { next } = (name === 'countTasks' ? answer.body : {}) as { readonly next?: unknown };
    if (typeof next !== 'string') return answer;
    return toItsEnd(name, await call(service.baseUrl, `/counts?by=destination_key&cursor=${encodeURIComponent(next)}`));
  }

  it('has a row for every route', () => {
    expect(routeTable.flatMap(({ operationId }) => (operationId === null ? [] : [operationId]))).to.have.members(Object.keys(rows));
  });

  for (const [name, row] of [...Object.entries(rows), ...Object.entries(boardRows)]) {
    for (const part of parts) {
      const status = row.away[part] ?? row.usual;
      it(`answers ${status} to ${name} while the part is away: ${part}`, async () => {
        const asked = await newAsked();
        await takeAway(part);
        expect((await toItsEnd(name, await row.ask(asked))).status).to.equal(status);
      });
    }
  }

  const ask = (path: string, init?: RequestInit): Promise<Answer> => call(service.baseUrl, path, init);

  it('shows a task, and says that why it waits is not known; what its time alone tells is told', async () => {
    const due = await newTask({ initial_delay: 0 });
    const later = await newTask();
    // For 5 s after the reports were away nothing is concluded from missing ones, and the calls above took them away.
    await eventually(async () => {
      expect((await ask(`/tasks/${due}`)).body['waiting_for']).to.have.property('code', 'no_worker');
    });
    await takeAway('flow');
    // This process knows Redis' time by some milliseconds.
    const reason = await eventually(async () => {
      const { waiting_for: shown } = (await ask(`/tasks/${due}`)).body as { waiting_for: { code: string; message: string } };
      expect(shown.code).to.equal('unknown');
      return shown;
    });
    expect(reason.message).to.match(/^due since \d{4}-.*Z; the part of redis with limits, pauses, circuits and reports of workers does not answer, so why it waits now is not known$/);
    expect((await ask(`/tasks/${later}`)).body['waiting_for']).to.have.property('code', 'initial_delay');
    const { tasks } = (await ask(`/tasks?id=${due},${later}`)).body as { tasks: { id: string; waiting_for: string }[] };
    expect(Object.fromEntries(tasks.map((task) => [task.id, task.waiting_for]))).to.deep.equal({ [due]: 'unknown', [later]: 'initial_delay' });
  });

  it('shows of the destinations what it read last, and since when it is known', async () => {
    expect((await ask(`${PLACE}/pause`, json('POST', { reason: 'it is down' }))).body).to.include({ known_at: null, is_complete: true });
    // It looks when it starts, and every 5 s.
    const other = await InProcessService.ready({ redis: redis.address, shards: SHARDS, prefix: service.prefix });
    try {
      await eventually(async () => {
        await takeAway('flow');
        const { status, body } = await call(other.baseUrl, PLACE);
        const { body: list } = await call(other.baseUrl, '/destinations');
        await service.redis.call('ACL', 'SETUSER', 'default', 'allkeys');
        expect(status).to.equal(200);
        expect(body['paused']).to.include({ reason: 'it is down' });
        for (const shown of [body, list]) expect(shown).to.include({ is_complete: false }).and.to.have.property('known_at').that.is.a('string');
        expect((list['destinations'] as { key: string }[]).map(({ key }) => key)).to.include(ORIGIN);
      }, { withinMs: 10_000 });
      expect((await call(other.baseUrl, PLACE)).body).to.include({ known_at: null, is_complete: true });
    } finally {
      await other.close();
    }
    await ask(`${PLACE}/resume`, post());
  });

  it('shows a change that it made right before its part went away', async () => {
    expect((await ask(`${PLACE}/pause`, json('POST', { reason: 'at once' }))).status).to.equal(200);
    await takeAway('flow');
    const { body } = await ask(PLACE);
    expect(body['known_at']).to.be.a('string');
    expect(body['paused']).to.include({ reason: 'at once' });
    await service.redis.call('ACL', 'SETUSER', 'default', 'allkeys');
    expect((await ask(`${PLACE}/resume`, post())).body['paused']).to.equal(null);
    await takeAway('flow');
    expect((await ask(PLACE)).body).to.include({ paused: null, is_complete: false });
  });

  it('says what is missing where nothing else could be shown', async () => {
    await takeAway('stats');
    for (const [path, what] of [['/history', 'what was counted by minute'], ['/failures', 'the counts of failed sends']]) {
      expect((await ask(path ?? '')).body['error'], path).to.contain(`: ${what ?? ''} cannot be read; GET /status says what is away`);
    }
    for (const [part, path, what] of [['audit', '/audit', 'the audit'], ['bulk', '/bulk-actions', 'bulk actions'], ['bulk', '/bulk-actions/made', 'bulk actions'], ['flow', '/keys', 'access keys'], ['flow', `${PLACE}/credentials`, 'credentials']] as const) {
      await takeAway(part);
      const { status, body } = await ask(path);
      expect([status, body['code']], path).to.deep.equal([503, 'redis_refused']);
      expect(body['error'], path).to.contain(`: ${what} cannot be read; GET /status says what is away`);
    }
  });

  it('shows and changes a destination while a shard is away, and names the shard whose deferred tasks are not counted', async () => {
    expect((await ask('/destinations')).body['shards_away']).to.deep.equal([]);
    await takeAway('shard');
    const changes: [string, RequestInit?][] = [[`${PLACE}/pause`, post()], [PLACE], [PLACE, json('PUT', { rate: 5 })], [PLACE, { method: 'DELETE' }], [`${PLACE}/resume`, post()], ['/destinations']];
    for (const [path, init] of changes) {
      const { body } = await ask(path, init);
      expect(body['shards_away'], `${path}: ${JSON.stringify(body)}`).to.deep.equal([`deliver-${AWAY}`]);
    }
  });

  it('changes no destination while the reports of workers cannot be read: they say which name it has, and which hosts', async () => {
    const { prefix } = service;
    const cluster = `/destinations/${encodeURIComponent('kafka://b2:9092')}`;
    const changes: [string, RequestInit][] = [[`${cluster}/pause`, post()], [`${cluster}/resume`, post()], [cluster, json('PUT', { rate: 5 })], [cluster, { method: 'DELETE' }], [`${cluster}/credentials`, json('PATCH', { signing: { rotate: {} } })], [`${cluster}/credentials`, { method: 'DELETE' }]];
    await service.queue.fleet.flowStore().putReport('w', printReport({ facts: { KAFKA_BROKERS: 'b1:9092,b2:9092' }, rebuilds: 0, slots: undefined, samples: [] }));
    // All but the reports.
    await service.redis.call('ACL', 'SETUSER', 'default', 'resetkeys', `~${prefix}:[^f]*`, `~${prefix}:flow:[^r]*`);
    // It has read nothing, and its own brokers are others.
    const starting = await InProcessService.ready({ redis: redis.address, shards: SHARDS, prefix, kafkaBrokers: 'b1:9092' });
    try {
      for (const [path, init] of changes) expect((await call(starting.baseUrl, path, init)).status, `${init.method} ${path}`).to.equal(503);
      // It has read them before.
      expect((await ask(`${cluster}/resume`, post())).status).to.equal(503);
      await service.redis.call('ACL', 'SETUSER', 'default', 'allkeys');
      expect(await service.redis.hkeys(flowKeys(prefix, false).controls)).to.not.include('p:kafka://b2:9092');
      await service.queue.fleet.flowStore().putReport('w', printReport({ facts: { KAFKA_BROKERS: 'b1:9092,b2:9092' }, rebuilds: 0, slots: undefined, samples: [] }));
      expect((await call(starting.baseUrl, `${cluster}/pause`, post())).body).to.include({ key: 'kafka://default' });
    } finally {
      await starting.close();
      await service.redis.del(flowKeys(prefix, false).workers);
    }
  });
});

describe('the API while a node of a cluster is frozen', () => {
  let cluster: RedisCluster;
  let service: InProcessService;

  before(async () => {
    cluster = await RedisCluster.start({ masters: 2, replicas: 0, nodeTimeoutMs: 60_000, settings: ['--cluster-require-full-coverage', 'no'] });
    service = await InProcessService.ready({ redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false }, shards: 16 });
  });
  after(async () => {
    await service.close();
    await cluster.close();
  });

  /** Which of the two nodes has the slot of a hash tag. */
  async function nodeOf(tag: string): Promise<number> {
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error('the cluster has two nodes');
    return (await cluster.ask(first, (client) => client.cluster('KEYSLOT', `{${service.prefix}-${tag}}`))) < 8_192 ? 0 : 1;
  }

  it('shows tasks when that of the limits and reports is, and pauses destinations when only others are', async () => {
    const withFlow = await nodeOf('flow');
    const onNode: Record<number, WireTask> = {};
    while (onNode[0] === undefined || onNode[1] === undefined) {
      const task = httpTask(`${ORIGIN}/`, { initial_delay: 0 });
      onNode[await nodeOf(String(shardOf(task.id, 16)))] = task;
    }
    for (const task of Object.values(onNode)) await submitNew(service.baseUrl, task);
    await call(service.baseUrl, '/destinations');
    const there = onNode[1 - withFlow]?.id ?? '';
    await cluster.nodes[withFlow]?.freeze();
    try {
      // This process knows Redis' time by some milliseconds: until then the task is not due.
      await eventually(async () => {
        const { status, body } = await call(service.baseUrl, `/tasks/${there}`);
        expect([status, body['waiting_for']]).to.have.nested.property('[1].code', 'unknown');
      });
      expect((await call(service.baseUrl, `/tasks?id=${there}`)).status).to.equal(200);
    } finally {
      cluster.nodes[withFlow]?.thaw();
    }
    await eventually(async () => { expect((await call(service.baseUrl, '/destinations')).body['is_complete']).to.equal(true); }, { withinMs: 20_000, everyMs: 100 });
    await cluster.nodes[1 - withFlow]?.freeze();
    try {
      const { status, body } = await call(service.baseUrl, `${PLACE}/pause`, post());
      expect([status, body['paused'] === null, (body['shards_away'] as string[]).length > 0], JSON.stringify(body)).to.deep.equal([200, false, true]);
    } finally {
      cluster.nodes[1 - withFlow]?.thaw();
    }
  });
});
