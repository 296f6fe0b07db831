import { expect } from 'chai';

import { profile } from '../chaos/profile.js';
import { loadConfig } from '../../shared/config/load.js';
import { shardCountKey, shardOf } from '../../shared/queue/names.js';
import { settleShardCount } from '../../shared/queue/engine/shard-count.js';
import { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { connectRedis } from '../../shared/redis/redis-connection.js';
import { boardRows, json, rows, type Asked } from '../support/every-call.js';
import { eventually } from '../support/eventually.js';
import { uniquePrefix } from '../support/namespace.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { printAddress, type PrivateRedis } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { Service, ServiceProcess } from '../support/service.js';
import { call, httpTask, submit, submitNew, uniqueId, type WireTask } from '../support/tasks.js';

const SHARDS = 16;
const MASTERS = 3;
/** More than a batch sends to Redis in one go. */
const BATCH = 600;
/** The short form runs on machines that do other things, too: there /livez, which asks nothing, has taken 1.9 s. */
const ANSWERED_WITHIN_MS = profile.name === 'long' ? 1_100 : 4_000;
const LIVING_P99_MS = profile.name === 'long' ? 300 : 2_000;
/** From the answer to the delivery. */
const LIVING_DELIVERED_WITHIN_MS = profile.name === 'long' ? 500 : 4_000;
const ORIGIN = 'http://127.0.0.1:9';
/** Without test sends: they wait for a worker and a receiver, and only ten may be made in a minute. */
const calls = [...Object.entries(rows).filter(([operation]) => operation !== 'sendTest'), ...Object.entries(boardRows)];

/** Ways in which a node goes away and comes back. */
const ways: Readonly<Record<string, { away(node: PrivateRedis): Promise<void>; back(node: PrivateRedis): Promise<void> }>> = {
  killed: { away: (node) => node.kill(), back: (node) => node.restart() },
  frozen: { away: (node) => node.freeze(), back: async (node) => node.thaw() },
};

describe('topology: a master of a Cluster is away, and none takes over', function () {
  this.timeout(120_000);
  let cluster: RedisCluster;
  let service: Service;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    cluster = await RedisCluster.start({ masters: MASTERS, replicas: 0, nodeTimeoutMs: 2_000, settings: ['--cluster-require-full-coverage', 'no'] });
    service = await Service.start({ workers: 1, settings: { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses } });
    expect((await call(service.baseUrl, '/bulk-actions', json('POST', { id: 'made', action: 'send_now', filter: { client_id: 'nobody' } }))).status).to.equal(201);
    // Scripts are loaded, and the contract is printed as JSON once.
    for (const [, row] of calls) await row.ask(await asked(uniqueId()));
  });
  beforeEach(async () => {
    await eventually(async () => { expect((await call(service.baseUrl, '/destinations')).body['is_complete']).to.equal(true); }, { withinMs: 30_000, everyMs: 100 });
  });
  after(async () => {
    await service.close();
    await cluster.close();
    await receiver.close();
  });

  const waits = (id: string): WireTask => httpTask(`${ORIGIN}/`, { id, initial_delay: 3_600 });

  async function asked(id: string, newId: () => string = uniqueId): Promise<Asked> {
    await submitNew(service.baseUrl, waits(id));
    return { baseUrl: service.baseUrl, id, waits: () => waits(newId()), queue: `deliver-${shardOf(id, SHARDS)}` };
  }

  async function ownerOf(tag: string): Promise<PrivateRedis> {
    return (await cluster.ownerOf(`{${service.prefix}-${tag}}`)).owner;
  }

  async function shardsOn(node: PrivateRedis): Promise<ReadonlySet<number>> {
    const owners = await Promise.all(Array.from({ length: SHARDS }, (_, shard) => ownerOf(String(shard))));
    return new Set(owners.flatMap((owner, shard) => (owner === node ? [shard] : [])));
  }

  it('takes the tasks of a batch that belong to living shards, while a master is killed', async () => {
    const withFleet = await ownerOf('flow');
    const victim = cluster.nodes.find((node) => node !== withFleet);
    if (victim === undefined) throw new Error('there is one node');
    const away = await shardsOn(victim);
    await victim.kill();
    try {
      for (const type of ['application/x-ndjson', 'application/json']) {
        const ids = Array.from({ length: BATCH }, uniqueId);
        const texts = ids.map((id) => JSON.stringify(waits(id)));
        const body = type === 'application/json' ? `[${texts.join(',')}]` : texts.join('\n');
        const answer = await call(service.baseUrl, '/tasks/batch', { method: 'POST', headers: { 'content-type': type }, body });
        const results = answer.body['results'] as { id: string; status: number }[];
        expect(results.map(({ id, status }) => `${id} ${status}`), type).to.deep.equal(ids.map((id) => `${id} ${away.has(shardOf(id, SHARDS)) ? 503 : 201}`));
      }
    } finally {
      await victim.restart();
      await cluster.isWhole();
    }
  });

  for (const [name, way] of Object.entries(ways)) {
    it(`goes on when the master that a shard is moving to is ${name}`, async () => {
      const { slot, owner } = await cluster.ownerOf(`{${service.prefix}-0}`);
      const victim = cluster.nodes.find((node) => node !== owner);
      if (victim === undefined) throw new Error('there is one node');
      const [moving, living] = await Promise.all([0, 1].map(async (at) => {
        for (;;) {
          const id = uniqueId();
          const shard = shardOf(id, SHARDS);
          if (at === 0 ? shard === 0 : shard !== 0 && (await ownerOf(String(shard))) !== victim) return id;
        }
      }));
      await cluster.beginMove(slot, owner, victim);
      try {
        await way.away(victim);
        const asked = async (): Promise<readonly number[]> => Promise.all([call(service.baseUrl, `/tasks/${moving ?? ''}`), submit(service.baseUrl, waits(living ?? ''))].map(async (answer) => (await answer).status));
        await eventually(async () => { expect(await asked()).to.deep.equal([503, 200]); });
        // The second time the node is known to be away.
        await eventually(async () => { expect(await asked()).to.deep.equal([503, 200]); });
      } finally {
        await way.back(victim);
        for (const node of [owner, victim]) await cluster.ask(node, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'STABLE'));
        await cluster.isWhole();
      }
      expect(service.output).to.not.include('uncaught');
    });
  }

  it('says that workers cannot report, and that shards take no writes, while the master with what concerns the whole fleet refuses them', async () => {
    const withFleet = await ownerOf('flow');
    const refusing = [...(await shardsOn(withFleet))].length;
    const status = async (): Promise<Readonly<Record<string, unknown>>> => (await call(service.baseUrl, '/status')).body;
    await cluster.ask(withFleet, (client) => client.config('SET', 'min-replicas-to-write', '1'));
    try {
      const { reasons, ...shown } = await eventually(async () => {
        const body = await status();
        expect(body).to.include({ status: 'degraded', workers: null, is_complete: true });
        return body as { readonly reasons: readonly { readonly code: string; readonly message: string }[]; readonly shards_away: readonly string[] };
      });
      expect([shown.shards_away, reasons.map(({ code }) => code)]).to.deep.equal([[], ['redis_unavailable', ...(refusing === 0 ? [] : ['shard_away'])]]);
      if (refusing > 0) expect(reasons[1]?.message).to.match(new RegExp(`^${refusing} of ${SHARDS} shards take no writes \\(`));
    } finally {
      await cluster.ask(withFleet, (client) => client.config('SET', 'min-replicas-to-write', '0'));
    }
    await eventually(async () => { expect(await status()).to.include({ status: 'ok', workers: 1 }); }, { withinMs: 15_000 });
  });

  it('starts while a master is frozen, and works with the others; with all when it is back', async () => {
    const receiver = await createReceiver();
    const withFleet = await ownerOf('flow');
    const victim = cluster.nodes.find((node) => node !== withFleet);
    if (victim === undefined) throw new Error('there is one node');
    // Limits and pauses, without which nothing may be sent, are elsewhere. The first place of the number of shards is not, nor is shard 0.
    const isFit = async (prefix: string): Promise<boolean> => (await Promise.all([`{${prefix}-flow}`, shardCountKey(prefix), `{${prefix}-0}`].map(async (key) => (await cluster.ownerOf(key)).owner === victim))).join() === 'false,true,true';
    let prefix = uniquePrefix();
    while (!(await isFit(prefix))) prefix = uniquePrefix();
    // The store is no new one.
    const redis = connectRedis(loadConfig({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses }).redis, 'worker');
    await settleShardCount(redis, prefix, SHARDS, () => false).finally(() => redis.disconnect());
    let older = uniquePrefix();
    while (!(await isFit(older))) older = uniquePrefix();
    await victim.freeze();
    const stored = new ServiceProcess('workers/main.js', { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, QUEUE_PREFIX: older });
    let fresh: Service | undefined;
    try {
      fresh = await Service.start({ prefix, workers: 1, settings: { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses } });
      const { baseUrl } = fresh;
      const ids = Array.from({ length: 64 }, uniqueId);
      const post = async (id: string): Promise<number> => (await submit(baseUrl, httpTask(receiver.url('/hook'), { id, initial_delay: 0 }))).status;
      const statuses = await Promise.all(ids.map(post));
      const accepted = ids.filter((_, nth) => statuses[nth] === 201);
      expect(accepted.length, 'of living shards').to.be.above(0);
      expect(accepted.length).to.be.below(ids.length);
      await eventually(() => { expect(receiver.requests.map(({ taskId }) => taskId)).to.include.members(accepted); }, { withinMs: 10_000 });
      // Where no other place knows the number, a start says what it waits for.
      await stored.hasWritten(new RegExp(`waits for a part of Redis what="the number of shards \\(${older}:shards\\), at ${printAddress(victim.address)}"`));
      victim.thaw();
      await cluster.isWhole();
      await stored.hasWritten(/worker is up/);
      await eventually(async () => { for (const id of ids) expect(await post(id)).to.be.oneOf([200, 201]); }, { withinMs: 10_000 });
      await eventually(() => { expect(receiver.requests.map(({ taskId }) => taskId)).to.include.members(ids); }, { withinMs: 10_000 });
    } finally {
      victim.thaw();
      await Promise.all([fresh?.close(), stored.stop(), receiver.close(), cluster.isWhole()]);
    }
  });

  for (const [name, way] of Object.entries(ways)) {
    if (name === 'frozen' && profile.name !== 'long') continue;
    it(`lets a worker that starts wait, and say for what, while the one is ${name} that has limits, pauses and credentials`, async () => {
      const victim = await ownerOf('flow');
      await way.away(victim);
      const starting = new ServiceProcess('workers/main.js', { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, QUEUE_PREFIX: service.prefix });
      try {
        await starting.hasWritten(new RegExp(`waits for a part of Redis what="what concerns the whole fleet .*, at ${printAddress(victim.address)}"`)).finally(() => way.back(victim));
        await starting.hasWritten(/worker is up/);
      } finally {
        await Promise.all([starting.stop(), cluster.isWhole()]);
      }
      expect(starting.lines.filter((line) => line.includes('waits for a part'))).to.have.lengthOf(1);
    });
  }

  describe('the one that has the access keys', () => {
    const bootstrap = `krs_boot_${'ab'.repeat(32)}`;
    const settings = (): Readonly<Record<string, string>> => ({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, AUTH: 'on', BOOTSTRAP_API_KEY: bootstrap });
    let guarded: Service;
    let key: string;
    let keyId: string;
    let victim: PrivateRedis;
    let away: ReadonlySet<number>;

    const post = (by: string, path: string, body: unknown, { baseUrl } = guarded): ReturnType<typeof call> => call(baseUrl, path, { method: 'POST', headers: { 'content-type': 'application/json', 'authorization': `Bearer ${by}` }, body: JSON.stringify(body) });
    const living = (): WireTask => {
      for (;;) {
        const task = waits(uniqueId());
        if (!away.has(shardOf(task.id, SHARDS))) return task;
      }
    };

    beforeEach(async () => {
      guarded = await Service.start({ prefix: service.prefix, workers: 0, settings: settings() });
      victim = await ownerOf('flow');
      away = await shardsOn(victim);
      ({ key, id: keyId } = (await post(bootstrap, '/keys', { name: 'orders', role: 'submit' })).body as { key: string; id: string });
      expect((await post(key, '/tasks', living())).status).to.equal(201);
    });
    afterEach(async () => {
      victim.thaw();
      await Promise.all([guarded.close(), cluster.isWhole()]);
    });

    it('lets keys go on where no mark was told of a change, and refuses wrong and revoked ones', async () => {
      const revoked = (await post(bootstrap, '/keys', { name: 'leaked', role: 'submit' })).body as { key: string; id: string };
      expect((await call(guarded.baseUrl, `/keys/${revoked.id}`, { method: 'DELETE', headers: { authorization: `Bearer ${bootstrap}` } })).status).to.equal(200);
      await victim.freeze();
      const frozenAt = performance.now();
      const refused: string[] = [];
      let posts = 0;
      // Longer than what is known is believed without an answer.
      while (performance.now() - frozenAt < 4_000) {
        const startedAt = performance.now();
        const { status, body } = await post(key, '/tasks', living());
        posts += 1;
        if (status !== 201) refused.push(`${status} ${String(body['error'])} after ${Math.round(startedAt - frozenAt)} ms, in ${Math.round(performance.now() - startedAt)} ms`);
        expect(performance.now() - startedAt).to.be.at.most(LIVING_P99_MS);
      }
      // Where other tests run beside this one, a mark may be late twice in a row.
      expect(refused.length / posts, refused.join('\n')).to.be.at.most(profile.name === 'long' ? 0 : 0.05);
      for (const wrong of [revoked.key, `krs_${keyId}_${'cd'.repeat(32)}`]) expect((await post(wrong, '/tasks', living())).status).to.equal(401);
      const ready = await call(guarded.baseUrl, '/readyz');
      expect([ready.status, ready.body['status'], ready.body['checks']]).to.deep.equal([200, 'ready', { redis: 'ok', fleet: 'failed' }]);
      // One that starts now knows no stored key: a rollout must not put it in place of those that do.
      const late = new ServiceProcess('server/main.js', { ...settings(), QUEUE_PREFIX: service.prefix, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' });
      try {
        const [, lateUrl = ''] = await late.hasWritten(/the API is up.*?(http:\/\/127\.0\.0\.1:\d+)/);
        await eventually(async () => {
          const { status, body } = await call(lateUrl, '/readyz');
          expect([status, body['status'], body['checks']]).to.deep.equal([503, 'not_ready', { redis: 'ok', fleet: 'failed' }]);
        });
        victim.thaw();
        await eventually(async () => { expect((await call(lateUrl, '/readyz')).status).to.equal(200); }, { withinMs: 10_000 });
      } finally {
        await late.stop();
      }
    });

    it('says why a key is refused when marks were told of a change that cannot be read, and takes that of BOOTSTRAP_API_KEY', async () => {
      const redis = connectRedis(loadConfig(settings()).redis, 'server');
      const queue = new TaskQueue({ redis, prefix: service.prefix, shards: SHARDS, deadAttempts: 1, clock: Date.now });
      try {
        await queue.shards();
        await victim.freeze();
        // As a process on the other side of a split does, when it has changed a key.
        expect(await queue.fleet.keyMarks()?.tell(String(Date.now() * 1_000))).to.equal(true);
      } finally {
        await queue.close();
        redis.disconnect();
      }
      await eventually(async () => {
        const startedAt = performance.now();
        const refused = await post(key, '/tasks', living());
        expect([refused.status, refused.body['code']]).to.deep.equal([503, 'redis_unavailable']);
        expect(refused.body['error']).to.contain('which access keys hold cannot be read; GET /readyz says what is away');
        expect(performance.now() - startedAt).to.be.at.most(ANSWERED_WITHIN_MS);
      });
      expect((await post(bootstrap, '/tasks', living())).status).to.equal(201);
    });
  });

  for (const [name, way] of Object.entries(ways)) {
    for (const hasFleet of profile.name === 'long' ? [false, true] : [name === 'frozen']) {
      it(`answers every call in time, and names what is missing, while one is ${name}${hasFleet ? ' that has what concerns the whole fleet' : ''}`, async () => {
        const withFleet = await ownerOf('flow');
        const victim = hasFleet ? withFleet : cluster.nodes.find((node) => node !== withFleet);
        if (victim === undefined) throw new Error('there is one node');
        const away = await shardsOn(victim);
        const queues = [...away].map((shard) => `deliver-${shard}`).sort();
        const idOf = (isAway: boolean): string => {
          for (;;) {
            const id = uniqueId();
            if (away.has(shardOf(id, SHARDS)) === isAway) return id;
          }
        };
        const [living, gone] = await Promise.all([false, true].map((isAway) => Promise.all(calls.map(() => asked(idOf(isAway), () => idOf(isAway))))));
        const posts: { readonly id: string; readonly at: number; readonly ms: number; readonly status: number }[] = [];
        const load = setInterval(() => {
          const startedAt = performance.now();
          const task = httpTask(receiver.url('/living'), { id: idOf(false) });
          const ended = (status: number): void => void posts.push({ id: task.id, at: Date.now(), ms: performance.now() - startedAt, status });
          void call(service.baseUrl, '/tasks', json('POST', task)).then(({ status }) => ended(status), () => ended(0));
        }, 25);
        // While the disk is slow Redis holds back what it writes to its file: a kill would take that with it (scenario 3c), and it is no part of this.
        await eventually(async () => { expect(await cluster.ask(victim, (client) => client.info('persistence'))).to.include('aof_buffer_length:0\r'); });
        await way.away(victim);
        try {
          // At once, and when it is known.
          for (let round = 0; round < (profile.name === 'long' ? 2 : 1); round += 1) {
            for (const [nth, [operation, row]] of calls.entries()) {
              await Promise.all([living?.[nth], gone?.[nth]].map(async (each, at) => {
                if (each === undefined) throw new Error('a task for each call');
                const startedAt = performance.now();
                const { status } = await row.ask(each);
                const ms = Math.round(performance.now() - startedAt);
                expect(ms, `${operation} answered ${status} after`).to.be.at.most(ANSWERED_WITHIN_MS);
                expect(status, operation).to.not.equal(500);
                // The second time the first call has done what there was to do.
                if (at === 0 && !hasFleet && round === 0) expect(status, operation).to.equal(row.usual);
              }));
            }
          }
          const { body } = await eventually(async () => {
            const answer = await call(service.baseUrl, '/stats');
            expect([answer.status, answer.body['is_complete']]).to.deep.equal([200, false]);
            return answer;
          });
          expect([...(body['shards_away'] as string[])].sort()).to.deep.equal(queues);
          const partial = ['/stats', '/tasks', '/counts', '/status', '/destinations'];
          for (const path of partial) {
            const answer = await call(service.baseUrl, path);
            expect([answer.status, answer.body['is_complete'], [...(answer.body['shards_away'] as string[])].sort()], path).to.deep.equal([200, false, queues]);
          }
          // What was counted stands in one slot, with limits and pauses.
          for (const path of ['/history', '/failures']) {
            const answer = await call(service.baseUrl, path);
            expect([answer.status, answer.body['is_complete'], [...(answer.body['shards_away'] as string[])].sort(), answer.body['known_at'] === null], path).to.deep.equal([200, !hasFleet, hasFleet ? queues : [], !hasFleet]);
          }
          for (const path of ['/health', '/readyz']) {
            const answer = await call(service.baseUrl, path);
            expect([answer.status, [...(answer.body['shards_away'] as string[])].sort()], path).to.deep.equal([200, queues]);
          }
          const status = await call(service.baseUrl, '/status');
          expect([status.body['status'], (status.body['reasons'] as { code: string }[]).some(({ code }) => code === 'shard_away')]).to.deep.equal(['degraded', true]);
          const board = await fetch(`${service.baseUrl}/admin/queues/api/queues?activeQueue=${queues[0] ?? ''}&page=1&jobsPerPage=10`);
          const { queues: shown } = (await board.json()) as { queues: { name: string; description: string }[] };
          expect([board.status, shown.filter(({ description }) => description.includes('does not answer')).map(({ name: queue }) => queue).sort()]).to.deep.equal([200, queues]);
        } finally {
          clearInterval(load);
          await way.back(victim);
          await cluster.isWhole();
        }
        const times = posts.map(({ ms }) => ms).sort((a, b) => a - b);
        expect(posts.filter(({ status }) => status !== 201), 'refused, of living shards').to.deep.equal([]);
        expect(times[Math.floor(times.length * 0.99)], 'p99 of living shards').to.be.at.most(LIVING_P99_MS);
        await eventually(() => { expect(posts.filter(({ id }) => receiver.requestsFor(id).length === 0), 'not delivered, of living shards').to.deep.equal([]); });
        const slowest = Math.round(Math.max(...posts.map(({ id, at }) => (receiver.requestsFor(id)[0]?.arrivedAt ?? Infinity) - at)));
        if (!hasFleet) expect(slowest, 'the slowest delivery of living shards').to.be.at.most(LIVING_DELIVERED_WITHIN_MS);
        console.log(`      p99 of POST for living shards ${Math.round(times[Math.floor(times.length * 0.99)] ?? 0)} ms, slowest delivery after ${slowest} ms`);
        await eventually(async () => { expect((await call(service.baseUrl, '/stats')).body['shards_away']).to.deep.equal([]); });
        for (const { id } of gone ?? []) expect((await call(service.baseUrl, `/tasks/${id}`)).status).to.equal(200);
      });
    }
  }
});
