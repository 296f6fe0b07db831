import { expect } from 'chai';

import { profile } from '../chaos/profile.js';
import { keySlot, SLOTS } from '../../shared/redis/key-slot.js';
import { ADMIN_KEY } from '../support/access-keys.js';
import { eventually } from '../support/eventually.js';
import { uniquePrefix } from '../support/namespace.js';
import { sendRaw } from '../support/raw-request.js';
import type { PrivateRedis } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { Service, ServiceProcess } from '../support/service.js';
import { signIn, type SessionHeaders } from '../support/sign-in.js';

/** The short form runs on machines that do other things, too. */
const ANSWERED_WITHIN_MS = profile.name === 'long' ? 1_100 : 4_000;
/** Longer than what is known of keys is believed without an answer. */
const AWAY_MS = 3_000;
const MASTERS = 3;
const SHARDS = 16;

/** Ways in which a node goes away and comes back. */
const ways: Readonly<Record<string, { away(node: PrivateRedis): Promise<void>; back(node: PrivateRedis): Promise<void> }>> = {
  killed: { away: (node) => node.kill(), back: (node) => node.restart() },
  frozen: { away: (node) => node.freeze(), back: async (node) => node.thaw() },
};

/** One with which the master that has the sessions has at least half of the shards, too: so it is for one prefix of nine. */
function prefixWithMostAtOne(): string {
  const masterOf = (tag: string): number => Math.floor(keySlot(tag) / Math.ceil(SLOTS / MASTERS));
  for (;;) {
    const prefix = uniquePrefix();
    const owner = masterOf(`{${prefix}-flow}`);
    if (Array.from({ length: SHARDS }, (_, shard) => masterOf(`{${prefix}-${shard}}`)).filter((other) => other === owner).length * 2 >= SHARDS) return prefix;
  }
}

describe('topology: people at the page, while the master of a Cluster that has their sessions is away', function () {
  this.timeout(120_000);
  let cluster: RedisCluster;
  let one: Service;
  let other: Service;
  let victim: PrivateRedis;
  const settings = (): Readonly<Record<string, string>> => ({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, AUTH: 'on', BOOTSTRAP_API_KEY: ADMIN_KEY });

  before(async () => {
    cluster = await RedisCluster.start({ masters: MASTERS, replicas: 0, nodeTimeoutMs: 2_000, settings: ['--cluster-require-full-coverage', 'no'] });
    one = await Service.start({ prefix: prefixWithMostAtOne(), workers: 1, settings: settings() });
    other = await Service.start({ prefix: one.prefix, workers: 0, settings: settings() });
    victim = (await cluster.ownerOf(`{${one.prefix}-flow}`)).owner;
    const owners = await Promise.all(Array.from({ length: SHARDS }, (_, shard) => cluster.ownerOf(`{${one.prefix}-${shard}}`)));
    expect(owners.filter(({ owner }) => owner === victim).length, 'shards of the victim').to.be.at.least(SHARDS / 2);
  });
  after(async () => {
    victim.thaw();
    await Promise.all([one.close(), other.close()]);
    await cluster.close();
  });

  const signOut = async (session: SessionHeaders, { baseUrl } = one): Promise<number> => (await sendRaw(baseUrl, { method: 'DELETE', path: '/session', headers: { ...session } })).status;

  async function statusOf(session: SessionHeaders, baseUrl: string, path = '/session'): Promise<number> {
    const startedAt = performance.now();
    const { status } = await sendRaw(baseUrl, { path, headers: { ...session } });
    expect(performance.now() - startedAt, `${path} answered ${status} after`).to.be.at.most(ANSWERED_WITHIN_MS);
    return status;
  }

  /** A process that does not reach the master yet answers 503. At no time does it let the session pass. */
  async function hasEnded(session: SessionHeaders, baseUrl: string): Promise<void> {
    const statuses: number[] = [];
    await eventually(async () => {
      statuses.push(await statusOf(session, baseUrl));
      expect(statuses.at(-1)).to.equal(401);
    });
    expect(statuses).to.not.include(200);
  }

  for (const [name, way] of Object.entries(ways)) {
    it(`lets them go on where they were seen before, and not who has signed out elsewhere, while it is ${name}`, async () => {
      // The case before may have failed while the master was away.
      await eventually(async () => { for (const { baseUrl } of [one, other]) await signIn(baseUrl, ADMIN_KEY); }, { withinMs: 20_000 });
      const [staying, leaving] = [await signIn(one.baseUrl, ADMIN_KEY), await signIn(one.baseUrl, ADMIN_KEY)];
      for (const session of [staying, leaving]) expect([await statusOf(session, other.baseUrl), await statusOf(session, one.baseUrl)]).to.deep.equal([200, 200]);
      // It is looked up once more, as a page does each second: what is remembered of it is newer than every sign-out of before.
      expect(await signOut(leaving)).to.equal(204);
      expect(await statusOf(staying, other.baseUrl)).to.equal(200);
      const seenLate = await signIn(one.baseUrl, ADMIN_KEY);
      expect(await statusOf(seenLate, other.baseUrl)).to.equal(200);
      expect(await signOut(seenLate), 'a moment before').to.equal(204);
      expect(await statusOf(staying, other.baseUrl)).to.equal(200);
      // While the disk is slow Redis holds back what it writes to its file: a kill would take the ends of sessions with it.
      await eventually(async () => { expect(await cluster.ask(victim, (client) => client.info('persistence'))).to.include('aof_buffer_length:0\r'); });
      await way.away(victim);
      const late = new ServiceProcess('server/main.js', { ...settings(), QUEUE_PREFIX: one.prefix, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' });
      try {
        const awayAt = performance.now();
        const statuses: number[] = [];
        while (performance.now() - awayAt < AWAY_MS) {
          statuses.push(await statusOf(staying, other.baseUrl));
          for (const left of [leaving, seenLate]) for (const { baseUrl } of [one, other]) expect(await statusOf(left, baseUrl), 'signed out').to.equal(503);
        }
        // Where other tests run beside this one, a mark may be late twice in a row.
        expect(statuses.filter((status) => status !== 200).length / statuses.length).to.be.at.most(profile.name === 'long' ? 0 : 0.05);
        const [, lateUrl = ''] = await late.hasWritten(/the API is up.*?(http:\/\/127\.0\.0\.1:\d+)/);
        await eventually(async () => { expect((await sendRaw(lateUrl, { path: '/livez' })).status).to.equal(200); });
        expect(await statusOf(staying, lateUrl), 'by a process that has never seen it').to.equal(503);
        // It cannot be ended now, and says so. Where it was tried, this process no longer takes it until it can look it up.
        expect(await signOut(staying, one)).to.equal(503);
        expect(await statusOf(staying, one.baseUrl)).to.equal(503);
        await eventually(async () => { expect(await statusOf(staying, other.baseUrl)).to.equal(200); });
        await way.back(victim);
        await cluster.isWhole();
        const urls = [one.baseUrl, other.baseUrl, lateUrl];
        await eventually(async () => { expect(await Promise.all(urls.map((url) => statusOf(staying, url)))).to.deep.equal([200, 200, 200]); }, { withinMs: 20_000 });
        // What another one answers about a session that stays may come from its memory.
        for (const left of [leaving, seenLate]) for (const url of urls) await hasEnded(left, url);
        expect(await signOut(staying)).to.equal(204);
        await Promise.all(urls.map((url) => hasEnded(staying, url)));
      } finally {
        await late.stop();
        if (name === 'frozen') victim.thaw();
        else if (victim.pid === undefined) await victim.restart();
        await cluster.isWhole();
      }
    });
  }
});
