import { expect } from 'chai';

import { routeTable } from '../../../server/route-table.js';
import { shardOf } from '../../../shared/queue/names.js';
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
/** Settings of operators and reports of workers; the tasks of one shard; what was counted; the audit. Audit and counts share the slot of the settings, but not their rights in this test. */
const parts = ['flow', 'shard', 'stats', 'audit'] as const;
type Part = (typeof parts)[number];

const ORIGIN = 'http://127.0.0.1:9';
const PLACE = `/destinations/${encodeURIComponent(ORIGIN)}`;
const json = (method: string, body: unknown, type = 'application/json'): RequestInit => ({ method, headers: { 'content-type': type }, body: JSON.stringify(body) });

/** The id of a task whose shard stays. */
function idThere(): string {
  for (;;) {
    const id = uniqueId();
    if (shardOf(id, SHARDS) !== AWAY) return id;
  }
}

const waits = (changes: Partial<WireTask> = {}): WireTask => httpTask(`${ORIGIN}/`, { id: idThere(), initial_delay: 3_600, ...changes });

/** What a call is made on: the service, and a new task of it that waits for its time. */
interface Asked {
  readonly baseUrl: string;
  readonly id: string;
}

interface Row {
  ask(asked: Asked): Promise<{ readonly status: number }>;
  /** The status while the part is away; all others are the usual one. */
  readonly away: Partial<Record<Part, number>>;
  readonly usual: number;
}

const get = (path: (asked: Asked) => string, away: Row['away'] = {}, usual = 200): Row => ({ usual, away, ask: (asked) => call(asked.baseUrl, path(asked)) });
const send = (path: (asked: Asked) => string, init: (asked: Asked) => RequestInit, away: Row['away'] = {}, usual = 200): Row => ({ usual, away, ask: (asked) => call(asked.baseUrl, path(asked), init(asked)) });
const post = (): RequestInit => ({ method: 'POST' });
const page = (path: string, away: Row['away']): Row => ({ usual: 200, away, ask: ({ baseUrl }) => fetch(baseUrl + path) });
/** There is no such action, and that can be told as long as a change could be written down. */
const bulkChange = (change: string, method = 'POST', body?: unknown): Row => send(() => `/bulk-actions/none${change}`, () => (body === undefined ? { method } : json(method, body)), { audit: 503 }, 404);

/** By operation id. */
const rows: Readonly<Record<string, Row>> = {
  submitTask: send(() => '/tasks', () => json('POST', waits()), {}, 201),
  submitTasks: send(() => '/tasks/batch', () => json('POST', [waits(), waits()]), {}, 207),
  readTask: get(({ id }) => `/tasks/${id}`),
  readSubmission: get(({ id }) => `/tasks/${id}/submission`),
  // A change that cannot be written down is not made.
  editTask: send(({ id }) => `/tasks/${id}`, () => json('PATCH', { max_retries: 7 }, 'application/merge-patch+json'), { audit: 503 }),
  cancelTask: send(({ id }) => `/tasks/${id}`, () => ({ method: 'DELETE' }), { audit: 503 }),
  retryTask: send(({ id }) => `/tasks/${id}/retry`, post, { audit: 503 }, 202),
  // A list without the tasks of a shard would look like a whole one.
  listTasks: get(() => `/tasks?destination_key=${encodeURIComponent(ORIGIN)}`, { shard: 503 }),
  countTasks: get(() => '/counts?by=destination_key', { shard: 503 }),
  // Without settings and reports next to nothing is known of a destination, and null would say "not paused".
  listDestinations: get(() => '/destinations', { flow: 503 }),
  readDestination: get(() => PLACE, { flow: 503 }),
  setDestination: send(() => PLACE, () => json('PUT', { rate: 5 }), { flow: 503, audit: 503 }),
  freeDestination: send(() => PLACE, () => ({ method: 'DELETE' }), { flow: 503, audit: 503 }),
  pauseDestination: send(() => `${PLACE}/pause`, post, { flow: 503, audit: 503 }),
  resumeDestination: send(() => `${PLACE}/resume`, post, { flow: 503, audit: 503 }),
  listAudit: get(() => `/audit?target=${encodeURIComponent(ORIGIN)}`, { audit: 503 }),
  stats: get(() => '/stats'),
  status: get(() => '/status'),
  history: get(() => '/history', { stats: 503 }),
  failures: get(() => '/failures', { stats: 503 }),
  // A dry run counts tasks: half of them would mislead.
  createBulkAction: send(() => '/bulk-actions', () => json('POST', { action: 'cancel', filter: { client_id: 'nobody' }, dry_run: true }), { shard: 503 }),
  // An action goes on in the other shards, and says in its state_reason what is missing.
  listBulkActions: get(() => '/bulk-actions'),
  readBulkAction: get(() => '/bulk-actions/made'),
  changeBulkAction: bulkChange('', 'PATCH', { rate: 1 }),
  pauseBulkAction: bulkChange('/pause'),
  resumeBulkAction: bulkChange('/resume'),
  cancelBulkAction: bulkChange('/cancel'),
  // Keys are stored with what concerns the whole fleet.
  createKey: send(() => '/keys', () => json('POST', { name: 'one', role: 'read' }), { flow: 503, audit: 503 }, 201),
  listKeys: get(() => '/keys', { flow: 503 }),
  changeKey: send(() => '/keys/none', () => json('PATCH', { name: 'two' }), { flow: 503, audit: 503 }, 404),
  rotateKey: send(() => '/keys/none/rotate', post, { flow: 503, audit: 503 }, 404),
  deleteKey: send(() => '/keys/none', () => ({ method: 'DELETE' }), { flow: 503, audit: 503 }, 404),
  // While AUTH=off nobody signs in, and Redis is not asked.
  signIn: send(() => '/session', () => json('POST', { key: `krs_abcd_${'0'.repeat(64)}` }), {}, 400),
  readSession: get(() => '/session'),
  signOut: { usual: 204, away: {}, ask: ({ baseUrl }) => fetch(`${baseUrl}/session`, { method: 'DELETE' }) },
  metrics: page('/metrics', {}),
  readCredentials: get(() => `${PLACE}/credentials`, { flow: 503 }),
  changeCredentials: send(() => `${PLACE}/credentials`, () => json('PATCH', { basic: null }), { flow: 503, audit: 503 }),
  deleteCredentials: send(() => `${PLACE}/credentials`, () => ({ method: 'DELETE' }), { flow: 503, audit: 503 }),
  health: get(() => '/health'),
  livez: get(() => '/livez'),
  readyz: get(() => '/readyz', { shard: 503 }),
  contract: page('/openapi.yaml', {}),
  contractAsJson: page('/openapi.json', {}),
  docs: page('/docs', {}),
  adminPage: page('/admin', {}),
  frontPage: page('/', {}),
};

/** Calls without an operation id: those of the board. */
const boardRows: Readonly<Record<string, Row>> = {
  'a page of the board': page('/admin/queues/api/queues?activeQueue=deliver-0&status=delayed&page=1&jobsPerPage=10', { shard: 503 }),
  'a task on the board': { usual: 200, away: {}, ask: ({ baseUrl, id }) => fetch(`${baseUrl}/admin/queues/api/queues/deliver-${shardOf(id, SHARDS)}/t-${id}`) },
};

describe('the API while a part of Redis is away', () => {
  let redis: PrivateRedis;
  let service: InProcessService;

  before(async () => {
    redis = await PrivateRedis.start();
    service = await InProcessService.ready({ redis: redis.address, shards: SHARDS });
    // No worker runs, so it stays as it is.
    expect((await call(service.baseUrl, '/bulk-actions', json('POST', { id: 'made', action: 'send_now', filter: { client_id: 'nobody' } }))).status).to.equal(201);
    // The scripts of all calls are loaded while they may be.
    for (const row of [...Object.values(rows), ...Object.values(boardRows)]) await row.ask({ baseUrl: service.baseUrl, id: await newTask() });
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

  /** Only the keys of the other parts may be touched from now on: Redis answers, and this part cannot be asked. */
  async function takeAway(part: Part): Promise<void> {
    const { prefix } = service;
    const keys: Record<string, string> = { 'bulk': `${prefix}:bulk:*`, 'flow': `${prefix}:flow:*`, 'access': `${prefix}:access:*`, 'credentials': `${prefix}:credentials:*`, 'stats': `${prefix}:stats:*`, 'audit': `${prefix}:audit:*`, 'shard-0': `${prefix}:deliver-0*`, 'shard-1': `${prefix}:deliver-1*`, 'shard-2': `${prefix}:deliver-2*` };
    // On a Cluster keys share the slot of flow control.
    const gone = part === 'shard' ? [`shard-${AWAY}`] : part === 'flow' ? ['flow', 'access', 'credentials'] : [part];
    await service.redis.call('ACL', 'SETUSER', 'default', 'resetkeys', ...Object.entries(keys).flatMap(([name, pattern]) => (gone.includes(name) ? [] : [`~${pattern}`])));
  }

  it('has a row for every route', () => {
    expect(routeTable.flatMap(({ operationId }) => (operationId === null ? [] : [operationId]))).to.have.members(Object.keys(rows));
  });

  for (const [name, row] of [...Object.entries(rows), ...Object.entries(boardRows)]) {
    for (const part of parts) {
      const status = row.away[part] ?? row.usual;
      it(`answers ${status} to ${name} while the part is away: ${part}`, async () => {
        const asked = { baseUrl: service.baseUrl, id: await newTask() };
        await takeAway(part);
        expect((await row.ask(asked)).status).to.equal(status);
      });
    }
  }

  const ask = (path: string, init?: RequestInit): Promise<Answer> => call(service.baseUrl, path, init);

  it('shows a task, and says that why it waits is not known; what its time alone tells is told', async () => {
    const due = await newTask({ initial_delay: 0 });
    const later = await newTask();
    expect((await ask(`/tasks/${due}`)).body['waiting_for']).to.have.property('code', 'no_worker');
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

  it('says what of the destinations cannot be read', async () => {
    await takeAway('flow');
    for (const path of ['/destinations', PLACE]) {
      const { error, code } = (await ask(path)).body;
      expect(code).to.equal('redis_refused');
      expect(error).to.equal('redis answers, and refuses to do this now: limits, pauses, circuits and reports of workers cannot be read; GET /status says what is away');
    }
  });

  it('shows and changes a destination while a shard is away, and names the shard whose deferred tasks are not counted', async () => {
    expect((await ask('/destinations')).body['shards_away']).to.deep.equal([]);
    await takeAway('shard');
    const changes: [string, RequestInit?][] = [[`${PLACE}/pause`, post()], [PLACE], [PLACE, json('PUT', { rate: 5 })], [PLACE, { method: 'DELETE' }], [`${PLACE}/resume`, post()], ['/destinations']];
    for (const [path, init] of changes) expect((await ask(path, init)).body['shards_away'], path).to.deep.equal([`deliver-${AWAY}`]);
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
      const { status, body } = await call(service.baseUrl, `/tasks/${there}`);
      expect([status, body['waiting_for']]).to.have.nested.property('[1].code', 'unknown');
      expect((await call(service.baseUrl, `/tasks?id=${there}`)).status).to.equal(200);
    } finally {
      cluster.nodes[withFlow]?.thaw();
    }
    await eventually(async () => { expect((await call(service.baseUrl, '/readyz')).status).to.equal(200); }, { withinMs: 20_000, everyMs: 100 });
    await cluster.nodes[1 - withFlow]?.freeze();
    try {
      const { status, body } = await call(service.baseUrl, `${PLACE}/pause`, post());
      expect([status, body['paused'] === null, (body['shards_away'] as string[]).length > 0], JSON.stringify(body)).to.deep.equal([200, false, true]);
    } finally {
      cluster.nodes[1 - withFlow]?.thaw();
    }
  });
});
