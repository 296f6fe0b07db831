import { createConnection } from 'node:net';

import { expect } from 'chai';
import { Redis } from 'ioredis';

import type { RedisConfig } from '../../shared/config/config.js';
import { ADMIN_KEY } from '../support/access-keys.js';
import { parkTasks, readBulkAction, startBulkAction, waitUntilSettled } from '../support/bulk-actions.js';
import { eventually } from '../support/eventually.js';
import { uniquePrefix } from '../support/namespace.js';
import { createReceiver } from '../support/receiver.js';
import { signIn } from '../support/sign-in.js';
import { PrivateRedis } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { InProcessService } from '../support/service-in-process.js';
import { SlowLink } from '../support/slow-link.js';
import { httpTask } from '../support/tasks.js';
import { waitForReplica } from '../support/wait-for-replica.js';
import { jobIdOf, queueName, shardOf } from '../../shared/queue/names.js';

/** Together they are more than the sockets of a replica hold, so that a frozen one misses the rest. */
const LARGE = 'x'.repeat(200_000);
const TASKS = 60;
const LIMIT_MS = 1_100;

interface Answer {
  readonly status: number;
  readonly body: { readonly id?: string; readonly code?: string; readonly is_duplicate?: boolean; readonly results?: readonly { readonly id?: string; readonly status: number; readonly error?: string }[] };
  readonly tookMs: number;
}

async function call(service: InProcessService, method: string, path: string, body?: unknown): Promise<Answer> {
  const startedAt = performance.now();
  const answer = await fetch(service.baseUrl + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) });
  return { status: answer.status, body: (await answer.json()) as Answer['body'], tookMs: performance.now() - startedAt };
}

function task(id: string, message = '{}'): object {
  return httpTask('http://127.0.0.1:9/hook', { id, message_data: message, initial_delay: 3_600, base_delay: 60 });
}

describe('topology: REDIS_MIN_REPLICAS', function () {
  this.timeout(60_000);
  let closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.reverse()) await close();
    closing = [];
  });

  async function clientOf(redis: PrivateRedis): Promise<Redis> {
    const client = new Redis({ ...redis.address, retryStrategy: () => null });
    client.on('error', () => undefined);
    closing.push(() => client.disconnect());
    return client;
  }

  async function masterAndReplica(): Promise<{ master: PrivateRedis; replica: PrivateRedis; link: SlowLink }> {
    const master = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', '--repl-diskless-sync-delay', '0']);
    closing.push(() => master.close());
    const link = await SlowLink.to(master.address);
    closing.push(() => link.close());
    const replica = await PrivateRedis.start(['--replicaof', link.address.host, String(link.address.port)]);
    closing.push(() => {
      replica.thaw();
      return replica.close();
    });
    await waitForReplica(master);
    return { master, replica, link };
  }

  async function api(redis: PrivateRedis['address'], minReplicas: number, prefix = uniquePrefix()): Promise<InProcessService> {
    const service = await InProcessService.ready({ redis, prefix, settings: { REDIS_MIN_REPLICAS: String(minReplicas) } });
    closing.push(() => service.close());
    return service;
  }

  type Change = (parts: { replica: PrivateRedis; link: SlowLink }) => Promise<void>;
  const troubles: Readonly<Record<string, { readonly message: string; readonly begin: Change; readonly worse?: Change }>> = {
    'is frozen before the write': { message: LARGE, begin: async ({ replica }) => replica.freeze() },
    'is cut off before the write': { message: '{}', begin: async ({ link }) => link.forget() },
    'lags behind': { message: '{}', begin: async ({ link }) => void (link.delayMs = 150), worse: async ({ link }) => void (link.delayMs = 10_000) },
  };

  for (const [trouble, { message, begin, worse }] of Object.entries(troubles)) {
    it(`loses nothing when the replica that is promoted ${trouble}; without it tasks are lost`, async () => {
      const parts = await masterAndReplica();
      const { master, replica } = parts;
      const services = [await api(master.address, 1), await api(master.address, 0)] as const;
      for (const service of services) expect((await call(service, 'POST', '/tasks', task('before'))).status).to.equal(201);
      await begin(parts);
      const acked: string[][] = [];
      for (const service of services) {
        const ids = Array.from({ length: TASKS }, (_, nth) => `task-${nth}`);
        const found: string[] = [];
        const answers = await Promise.all(ids.map(async (id) => ({ id, status: (await call(service, 'POST', '/tasks', task(id, message))).status })));
        for (const { id, status } of answers) {
          if (status === 201) found.push(id);
          else expect(status).to.equal(503);
        }
        acked.push(['before', ...found]);
        await worse?.(parts);
      }
      await master.kill();
      replica.thaw();
      await parts.link.close();
      const promoted = await clientOf(replica);
      await eventually(() => promoted.replicaof('NO', 'ONE'), { withinMs: 30_000 });
      const lost = await Promise.all(services.map(async ({ prefix }, nth) => {
        const there = await Promise.all((acked[nth] ?? []).map((id) => promoted.exists(`${prefix}:${queueName(0)}:${jobIdOf(id)}`)));
        return there.filter((count) => count === 0).length;
      }));
      const [waited, plain] = acked.map(({ length }, nth) => ({ acked: length, lost: lost[nth] }));
      console.log(`      REDIS_MIN_REPLICAS=1: ${JSON.stringify(waited)}; 0: ${JSON.stringify(plain)}`);
      expect(plain?.acked, 'accepted without waiting').to.equal(TASKS + 1);
      expect(plain?.lost, 'lost without waiting').to.be.above(0);
      expect(waited?.lost, 'lost of those that a replica had').to.equal(0);
    });
  }

  it('refuses what waits for slow replicas before it is sent, so that nothing of it is stored', async () => {
    const { master, link } = await masterAndReplica();
    const service = await api(master.address, 1);
    expect((await call(service, 'POST', '/tasks', task('before'))).status).to.equal(201);
    link.delayMs = 200; // and as long for what the replica says
    // More groups than three rounds of a connection's calls: the third could begin only after 0.8 s.
    const batches = await Promise.all(Array.from({ length: 16 }, (_, nth) => call(service, 'POST', '/tasks/batch', Array.from({ length: 200 }, (__, at) => task(`slow-${nth}-${at}`)))));
    const results = batches.flatMap(({ body }) => body.results ?? []);
    const late = results.filter(({ error }) => error?.startsWith('the replicas are too slow') === true);
    expect(new Set(results.map(({ status }) => status)), 'some are stored').to.deep.equal(new Set([201, 503]));
    expect(late.length, 'refused unsent').to.be.above(0);
    for (const { id = '' } of [...late.slice(0, 3), ...late.slice(-3)]) expect((await call(service, 'GET', `/tasks/${id}`)).status, id).to.equal(404);
  });

  it('answers a repetition, a refusal too, and what operators do only when the first write is on the replica', async () => {
    const { master, replica } = await masterAndReplica();
    const service = await api(master.address, 1);
    const other = await api(master.address, 1, service.prefix);
    const withKeys = await InProcessService.ready({ redis: master.address, bootstrapKey: ADMIN_KEY, settings: { REDIS_MIN_REPLICAS: '1' } });
    closing.push(() => withKeys.close());
    const session = await signIn(withKeys.baseUrl, ADMIN_KEY);
    for (const id of ['cancelled', 'edited', 'retried']) expect((await call(service, 'POST', '/tasks', task(id))).status).to.equal(201);
    const receiver = await createReceiver();
    closing.push(() => receiver.close());
    receiver.on('/refuses', { kind: 'answer', status: 400 });
    const worker = await service.startWorker();
    const [deleted = '', redriven = ''] = await parkTasks(service.baseUrl, receiver.url('/refuses'), 2, { max_retries: 0, initial_delay: 0 });
    await worker.stop(0);
    const { id: key = '' } = (await call(service, 'POST', '/keys', { name: 'revoked', role: 'operate' })).body;
    const board = `/admin/queues/api/queues/${queueName(0)}`;
    await replica.freeze();
    const path = `/destinations/${encodeURIComponent('http://127.0.0.1:9')}`;
    const changes = [
      ['POST', '/tasks', task('new')],
      ['POST', '/tasks', task('new')],
      ['DELETE', '/tasks/cancelled'],
      ['POST', '/tasks/cancelled/retry'],
      ['PATCH', '/tasks/cancelled', { message_data: '{"a":1}' }],
      ['DELETE', `/tasks/${deleted}`],
      ['PATCH', `/tasks/${deleted}`, { message_data: '{"a":1}' }],
      ['POST', `/tasks/${deleted}/retry`],
      ['PUT', `${board}/${jobIdOf(deleted)}/retry`],
      ['PUT', `${board}/${jobIdOf(redriven)}/retry`],
      ['PUT', `${board}/retry/failed`],
      ['PATCH', '/tasks/edited', { message_data: '{"a":1}' }],
      ['POST', '/tasks/retried/retry'],
      ['POST', `${path}/pause`],
      ['POST', `${path}/resume`],
      ['PUT', path, { max_concurrency: 3 }],
      ['DELETE', path],
      ['POST', `${path}/pause`],
      ['PATCH', `${path}/credentials`, { bearer: { token: 'one' } }],
      ['DELETE', `${path}/credentials`],
      ['POST', '/bulk-actions', { id: 'bulk-1', action: 'redrive', ids: ['none'] }],
      ['POST', '/bulk-actions/bulk-1/cancel'],
      ['POST', '/bulk-actions/bulk-1/pause'],
      ['POST', '/bulk-actions/none/cancel'],
      ['POST', '/keys', { name: 'k', role: 'read' }],
      ['DELETE', `/keys/${key}`],
      ['PATCH', `/keys/${key}`, { name: 'other' }],
      ['POST', `/keys/${key}/rotate`],
    ] as const;
    // All of them, and then all again; four at once, as many as one process waits for.
    for (const each of [service, other]) {
      for (let nth = 0; nth < changes.length; nth += 4) {
        await Promise.all(changes.slice(nth, nth + 4).map(async ([method, to, body]) => {
          const { status, body: answered, tookMs } = await call(each, method, to, body);
          expect([status, answered.code], `${method} ${to}: ${JSON.stringify(answered)}`).to.deep.equal([503, 'redis_unavailable']);
          expect(tookMs, `${method} ${to}`).to.be.below(LIMIT_MS);
        }));
      }
    }
    const signOut = (): Promise<number> => fetch(`${withKeys.baseUrl}/session`, { method: 'DELETE', headers: { ...session } }).then(({ status }) => status);
    expect(await signOut(), 'the session could come back').to.equal(503);
    expect((await call(service, 'GET', '/tasks/new')).status, 'reading does not wait').to.equal(200);
    expect(service.log).to.match(/0 of 1 replicas \(REDIS_MIN_REPLICAS\)/);
    replica.thaw();
    await eventually(async () => { expect(await call(service, 'POST', '/tasks', task('new'))).to.deep.include({ status: 200 }); }, { withinMs: 5_000 });
    expect(await call(service, 'POST', `${path}/pause`)).to.deep.include({ status: 200 });
    expect(await call(service, 'PATCH', '/tasks/edited', { message_data: '{"a":2}' })).to.deep.include({ status: 200 });
    const refused = [['DELETE', '/tasks/cancelled', 409, 'finished'], ['DELETE', `/tasks/${deleted}`, 404, 'task_not_found'], ['DELETE', `/keys/${key}`, 404, 'key_not_found']] as const;
    for (const [method, to, status, code] of refused) {
      const answer = await call(service, method, to);
      expect([answer.status, answer.body.code], to).to.deep.equal([status, code]);
    }
    expect(await eventually(async () => {
      const status = await signOut();
      expect(status).to.not.equal(503);
      return status;
    })).to.equal(204);
    const audit = (await (await fetch(`${withKeys.baseUrl}/audit`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })).json()) as { readonly entries: readonly { readonly action: string }[] };
    expect(audit.entries.filter(({ action }) => action === 'session.delete'), 'noted when it ended').to.have.length(1);
    expect(withKeys.log).to.include('a person has signed out');
  });

  it('writes with each group, a repetition too, and waits down the connection that wrote', async () => {
    const { master } = await masterAndReplica();
    const service = await api(master.address, 1);
    await call(service, 'POST', '/tasks', task('same'));
    const commands: { from: string; name: string; text: string }[] = [];
    const socket = createConnection(master.address.port, '127.0.0.1');
    closing.push(() => { socket.destroy(); });
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk.toString('latin1')));
    socket.write('MONITOR\r\n');
    await eventually(() => { expect(heard).to.include('+OK'); });
    expect(await call(service, 'POST', '/tasks', task('same'))).to.deep.include({ status: 200 });
    await eventually(() => { expect(heard.toLowerCase()).to.match(/"wait" "1"/); });
    for (const line of heard.split('\r\n')) {
      const [, from = '', name = ''] = /\[\d+ (\S+)\] "(\w+)"/.exec(line) ?? [];
      commands.push({ from, name: name.toLowerCase(), text: line });
    }
    const at = commands.findIndex(({ name }) => name === 'multi');
    const connection = commands[at]?.from;
    const ofConnection = commands.slice(at).filter(({ from, text }) => from === connection || (from === 'lua' && text.includes('replica-mark')));
    // A script that MONITOR shows as a command of its own: the mark is written inside it.
    expect(ofConnection.map(({ name }) => name)).to.deep.equal(['multi', 'evalsha', 'eval', 'pexpire', 'exec', 'wait']);
  });

  it('says at start, in /readyz and in /status that there are too few replicas', async () => {
    const { master } = await masterAndReplica();
    const service = await InProcessService.start({ redis: master.address, settings: { REDIS_MIN_REPLICAS: '2' } });
    closing.push(() => service.close());
    await eventually(() => { expect(service.log).to.include('REDIS_MIN_REPLICAS is 2, and this master has 1 replica in step'); });
    expect(await call(service, 'POST', '/tasks', task('one'))).to.deep.include({ status: 503 });
    await eventually(async () => { expect(await call(service, 'GET', '/readyz')).to.deep.include({ status: 503, body: { status: 'not_ready', checks: { redis: 'refused' } } }); });
    await eventually(async () => {
      const { reasons } = (await call(service, 'GET', '/status')).body as { readonly reasons?: readonly { readonly code: string; readonly message: string }[] };
      expect(reasons?.find(({ code }) => code === 'redis_unavailable')?.message).to.match(/^Redis has fewer replicas in step than REDIS_MIN_REPLICAS/);
    });
  });

  describe('on a cluster', () => {
    let cluster: RedisCluster;
    before(async () => (cluster = await RedisCluster.start()));
    after(() => cluster.close());

    it('asks the master of the shard, before and after a failover', async () => {
      const prefix = uniquePrefix();
      const [first] = cluster.nodes;
      if (first === undefined) throw new Error('no node');
      const service = await InProcessService.ready({
        redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false },
        shards: 16,
        prefix,
        settings: { REDIS_MIN_REPLICAS: '1' },
      });
      closing.push(() => service.close());
      const ids = Array.from({ length: 60 }, (_, nth) => `task-${nth}`);
      const post = (): Promise<readonly number[]> => Promise.all(ids.map(async (id) => (await call(service, 'POST', '/tasks', task(id))).status));
      expect(new Set(await post())).to.deep.equal(new Set([201]));
      const [, , , replica] = cluster.nodes;
      if (replica === undefined) throw new Error('no replica');
      const own = await eventually(async () => {
        const ranges = await cluster.ask(first, (client) => client.cluster('SLOTS'));
        const found = ranges.filter(([, , ...nodes]) => nodes.some(([, port]) => port === replica.address.port));
        expect(found).to.not.deep.equal([]);
        return found;
      });
      const slots = await cluster.ask(first, (client) => Promise.all(ids.map(async (id) => client.cluster('KEYSLOT', `{${prefix}-${shardOf(id, 16)}}`))));
      const isOfReplica = slots.map((slot) => own.some(([from, to]) => from <= slot && slot <= to));
      expect(new Set(isOfReplica)).to.deep.equal(new Set([true, false]));
      await replica.freeze();
      closing.push(() => replica.thaw());
      const frozen = await post();
      expect(frozen, 'repeated: 503 where the replica is frozen, and only there').to.deep.equal(isOfReplica.map((isOf) => (isOf ? 503 : 200)));
      replica.thaw();
      await cluster.isWhole();
      await cluster.takeOver(replica);
      await cluster.isWhole();
      await eventually(async () => { expect(new Set(await post())).to.deep.equal(new Set([200])); }, { withinMs: 10_000 });
    });

    it('ends a bulk action only when the replicas have what it did; without it a failover undoes some of what is done', async () => {
      const redis: RedisConfig = { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false };
      const [master] = await cluster.masters();
      if (master === undefined) throw new Error('no master');
      const replica = await cluster.replicaOf(master);
      const services = await Promise.all(['1', '0'].map(async (minReplicas) => {
        const settings = { REDIS_MIN_REPLICAS: minReplicas };
        const service = await InProcessService.ready({ redis, shards: 16, prefix: await prefixElsewhere(master), settings });
        closing.push(() => service.close());
        const worker = await service.startWorker({ settings });
        const tasks = Array.from({ length: TASKS }, (_, nth) => task(`bulk-${nth}`));
        await eventually(async () => { expect((await call(service, 'POST', '/tasks/batch', tasks)).body.results?.filter(({ status }) => status === 503)).to.deep.equal([]); }, { withinMs: 10_000 });
        const id = await startBulkAction(service.baseUrl, { action: 'cancel', filter: { state: 'scheduled' }, reason: 'test', expected: TASKS, rate: 1 });
        await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).state).to.equal('running'); });
        return { service, id, worker };
      }));
      await replica.freeze();
      await cluster.ask(master, async (client) => {
        const [known = ''] = await client.keys('{*');
        // Far more than the sockets hold on both sides: those of a killed master still send what they have.
        for (let nth = 0; nth < 200; nth += 1) await client.set(`${known}-large-${nth}`.replace(/}.*-large/, '}-large'), LARGE);
      });
      const states = await Promise.all(services.map(async ({ service, id }) => {
        expect((await call(service, 'PATCH', `/bulk-actions/${id}`, { rate: null })).status).to.equal(200);
        return eventually(async () => {
          const { state, pending, settled_at: settledAt } = await readBulkAction(service.baseUrl, id);
          expect(pending).to.equal(0);
          if (service === services[1]?.service) expect(settledAt).to.be.a('string');
          return state;
        }, { withinMs: 20_000 });
      }));
      expect(states).to.deep.equal(['running', 'done']);
      // Else it would find out that a shard has tasks left, and do it again.
      await services[1]?.worker.stop();
      await master.kill();
      replica.thaw();
      // The others take the master for one that works until it has been silent for a while. Started again before that, it is still the master.
      await eventually(async () => { expect(await cluster.masters()).to.include(replica); }, { withinMs: 20_000 });
      await cluster.isWhole();
      // What is done again waits for a replica, too.
      await master.restart();
      const [waiting, plain] = services;
      if (waiting === undefined || plain === undefined) throw new Error('two services');
      expect(await waitUntilSettled(waiting.service.baseUrl, waiting.id)).to.deep.include({ state: 'done', matched: TASKS, started: TASKS });
      const left = await Promise.all(services.map(({ service }) => eventually(async () => {
        const { tasks, is_complete: isComplete } = (await call(service, 'GET', '/tasks?state=scheduled&limit=100')).body as { readonly tasks: readonly unknown[]; readonly is_complete: boolean };
        expect(isComplete).to.equal(true);
        return tasks.length;
      }, { withinMs: 10_000 })));
      expect(left[0]).to.equal(0);
      expect(left[1], 'cancelled, and to be sent again').to.be.above(0);
    });

    /** A prefix whose bulk actions stand on another master than this one. */
    async function prefixElsewhere(master: PrivateRedis): Promise<string> {
      for (;;) {
        const prefix = uniquePrefix();
        if ((await cluster.ownerOf(`{${prefix}-flow}`)).owner !== master) return prefix;
      }
    }
  });
});
