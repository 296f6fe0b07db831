import { expect } from 'chai';
import { Redis } from 'ioredis';

import { queueName } from '../../shared/queue/names.js';
import { ADMIN_KEY } from '../support/access-keys.js';
import { eventually } from '../support/eventually.js';
import { uniquePrefix } from '../support/namespace.js';
import { PrivateRedis } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { InProcessService } from '../support/service-in-process.js';
import { SlowLink } from '../support/slow-link.js';
import { call, httpTask, uniqueId } from '../support/tasks.js';
import { waitForReplica } from '../support/wait-for-replica.js';

/** INFO shows a frozen replica as one in step for 10 s, and one whose clients are paused for ever. */
const TOLD_WITHIN_MS = 4_000;
const PAUSED_MS = 6_000;
/** So many looks at /readyz, each after one that was asked for anew: what is known holds for 1 s. */
const LOOKS = 4;
const SHARDS = 16;

describe('topology: too few replicas are told', function () {
  this.timeout(60_000);
  let closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.reverse()) await close();
    closing = [];
  });

  async function masterAndReplica(): Promise<{ service: InProcessService; master: PrivateRedis; replica: PrivateRedis; link: SlowLink; ofReplica: Redis }> {
    const master = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', '--repl-diskless-sync-delay', '0']);
    closing.push(() => master.close());
    const link = await SlowLink.to(master.address);
    closing.push(() => link.close());
    const replica = await PrivateRedis.start(['--replicaof', link.address.host, String(link.address.port)]);
    closing.push(() => replica.close(), () => replica.thaw());
    const ofReplica = new Redis({ ...replica.address, enableReadyCheck: false });
    ofReplica.on('error', () => undefined);
    closing.push(() => ofReplica.disconnect());
    await waitForReplica(master);
    const service = await InProcessService.ready({ redis: master.address, settings: { REDIS_MIN_REPLICAS: '1' } });
    closing.push(() => service.close());
    expect(await post(service)).to.equal(201);
    return { service, master, replica, link, ofReplica };
  }

  const post = async (service: InProcessService): Promise<number> => (await call(service.baseUrl, '/tasks', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(waits()) })).status;
  const waits = (): object => httpTask('http://127.0.0.1:9/', { id: uniqueId(), initial_delay: 3_600 });

  async function told(service: InProcessService): Promise<object> {
    const [ready, status] = await Promise.all([call(service.baseUrl, '/readyz'), call(service.baseUrl, '/status')]);
    const { reasons } = status.body as unknown as { readonly reasons: readonly { readonly code: string; readonly message: string }[] };
    return { status: ready.status, ready: ready.body['checks'], away: ready.body['shards_away'], tooFew: reasons.filter(({ message }) => message.includes('fewer replicas in step')).map(({ code }) => code) };
  }

  const refused = { status: 503, ready: { redis: 'refused' }, away: undefined, tooFew: ['redis_unavailable'] };
  const accepted = { status: 200, ready: { redis: 'ok' }, away: undefined, tooFew: [] };

  const troubles: Readonly<Record<string, { readonly begin: (parts: { replica: PrivateRedis; ofReplica: Redis }) => Promise<unknown>; readonly end: (parts: { replica: PrivateRedis }) => void }>> = {
    // A server that is paused hears of no end of it.
    'has paused its clients': { begin: ({ ofReplica }) => ofReplica.call('CLIENT', 'PAUSE', String(PAUSED_MS), 'ALL'), end: () => undefined },
    'is frozen': { begin: ({ replica }) => replica.freeze(), end: ({ replica }) => replica.thaw() },
  };

  for (const [trouble, { begin, end }] of Object.entries(troubles)) {
    for (const isCalled of [true, false]) {
      it(`within a few seconds when the replica ${trouble}, ${isCalled ? 'and tasks are refused' : 'and nobody submits'}, and again when all is well`, async () => {
        const parts = await masterAndReplica();
        await begin(parts);
        if (isCalled) expect(await post(parts.service)).to.equal(503);
        await eventually(async () => { expect(await told(parts.service)).to.deep.equal(refused); }, { withinMs: TOLD_WITHIN_MS, everyMs: 100 });
        end(parts);
        await eventually(async () => { expect(await told(parts.service)).to.deep.equal(accepted); }, { withinMs: PAUSED_MS + TOLD_WITHIN_MS, everyMs: 100 });
        expect(await post(parts.service)).to.equal(201);
      });
    }
  }

  it('not of a replica that is slow, as long as tasks are accepted', async () => {
    const { service, link } = await masterAndReplica();
    link.delayMs = 200; // and as long for what the replica says
    expect(await post(service)).to.equal(201);
    const seen: unknown[] = [];
    for (let look = 0, from = -Infinity; look < LOOKS;) {
      // /status is read anew once a second, and what a write has shown is as old by then.
      if (performance.now() - from >= 1_100) {
        from = performance.now();
        look += 1;
      }
      seen.push(await told(service));
    }
    expect(seen.filter((each) => JSON.stringify(each) !== JSON.stringify(accepted))).to.deep.equal([]);
    expect(await post(service)).to.equal(201);
  });

  it('and a secret that nobody was told is taken back: a new key is not there, and the old secret of one goes on', async () => {
    const { master, replica } = await masterAndReplica();
    const withKeys = await InProcessService.ready({ redis: master.address, bootstrapKey: ADMIN_KEY, settings: { REDIS_MIN_REPLICAS: '1' } });
    closing.push(() => withKeys.close());
    const as = (key: string, method: string, path: string, body?: object): ReturnType<typeof call> => call(withKeys.baseUrl, path, { method, headers: { 'authorization': `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const made = await as(ADMIN_KEY, 'POST', '/keys', { name: 'in use', role: 'read' });
    expect(made.status).to.equal(201);
    const [id, secret] = [String(made.body['id']), String(made.body['key'])];
    await replica.freeze();
    expect((await as(ADMIN_KEY, 'POST', '/keys', { name: 'untold', role: 'admin' })).status).to.equal(503);
    for (let time = 1; time <= 2; time += 1) expect((await as(ADMIN_KEY, 'POST', `/keys/${id}/rotate`, { overlap: 3_600 })).status).to.equal(503);
    const { keys } = (await as(ADMIN_KEY, 'GET', '/keys')).body as unknown as { readonly keys: readonly { readonly name: string; readonly previous_expires_at: string | null }[] };
    expect(keys.map((key) => [key.name, key.previous_expires_at])).to.deep.equal([['in use', null]]);
    expect((await as(secret, 'GET', '/counts')).status).to.equal(200);
    replica.thaw();
    const rotated = await eventually(async () => {
      const answer = await as(ADMIN_KEY, 'POST', `/keys/${id}/rotate`, { overlap: 3_600 });
      expect(answer.status).to.equal(200);
      return answer;
    }, { withinMs: TOLD_WITHIN_MS, everyMs: 100 });
    for (const each of [secret, String(rotated.body['key'])]) expect((await as(each, 'GET', '/counts')).status).to.equal(200);
  });

  it('on a Cluster of the shards whose master lost its replica, and of no others', async () => {
    const cluster = await RedisCluster.start();
    closing.push(() => cluster.close());
    const prefix = uniquePrefix();
    const service = await InProcessService.ready({
      redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false },
      shards: SHARDS,
      prefix,
      settings: { REDIS_MIN_REPLICAS: '1' },
    });
    closing.push(() => service.close());
    await eventually(async () => { expect(await told(service)).to.deep.equal(accepted); }, { withinMs: 20_000, everyMs: 100 });
    const owners = await Promise.all(Array.from({ length: SHARDS }, async (_, shard) => (await cluster.ownerOf(`{${prefix}-${shard}}`)).owner));
    const victim = owners[0];
    if (victim === undefined) throw new Error('no master');
    const hit = owners.flatMap((owner, shard) => (owner === victim ? [queueName(shard)] : []));
    const hasFleet = (await cluster.ownerOf(`{${prefix}-flow}`)).owner === victim;
    const replica = await cluster.replicaOf(victim);
    await replica.freeze();
    closing.push(() => replica.thaw());
    await eventually(async () => {
      expect(await told(service)).to.deep.equal({ status: 200, ready: { redis: 'ok', ...(hasFleet ? { fleet: 'refused' } : {}) }, away: hit, tooFew: ['redis_unavailable'] });
    }, { withinMs: TOLD_WITHIN_MS, everyMs: 100 });
    replica.thaw();
    await eventually(async () => { expect(await told(service)).to.deep.equal(accepted); }, { withinMs: 10_000, everyMs: 100 });
  });
});
