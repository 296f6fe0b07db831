import { expect } from 'chai';

import { profile } from '../chaos/profile.js';
import { shardOf } from '../../shared/queue/names.js';
import { eventually } from '../support/eventually.js';
import { json } from '../support/every-call.js';
import type { PrivateRedis } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { Service } from '../support/service.js';
import { call, httpTask, submitNew, uniqueId, type Answer } from '../support/tasks.js';

const SHARDS = 16;
/** As in shard-away.test.ts. */
const ANSWERED_WITHIN_MS = profile.name === 'long' ? 1_100 : 4_000;
/** What stands in no shard. */
const PLACE = `/destinations/${encodeURIComponent('http://127.0.0.1:9')}`;
const TASKS = 4;

/** Ways in which a node goes away and comes back. */
const ways: Readonly<Record<string, { away(node: PrivateRedis): Promise<void>; back(node: PrivateRedis): Promise<void> }>> = {
  killed: { away: (node) => node.kill(), back: (node) => node.restart() },
  frozen: { away: (node) => node.freeze(), back: async (node) => node.thaw() },
};

const changes: Readonly<Record<string, { readonly action: string; readonly status: number; readonly path: (id: string) => string; readonly init: () => RequestInit }>> = {
  edit: { action: 'task.edit', status: 200, path: (id) => `/tasks/${id}`, init: () => json('PATCH', { max_retries: 7 }, 'application/merge-patch+json') },
  retry: { action: 'task.retry', status: 202, path: (id) => `/tasks/${id}/retry`, init: () => ({ method: 'POST' }) },
  cancel: { action: 'task.cancel', status: 200, path: (id) => `/tasks/${id}`, init: () => ({ method: 'DELETE' }) },
};

interface ShownEntry {
  readonly id: string;
  readonly action: string;
  readonly outcome: string;
  readonly target: { readonly id: string };
}

describe('topology: the master of a Cluster is away that has what concerns the whole fleet', function () {
  this.timeout(120_000);
  let cluster: RedisCluster;

  before(async () => { cluster = await RedisCluster.start({ masters: 3, replicas: 0, nodeTimeoutMs: 2_000, settings: ['--cluster-require-full-coverage', 'no'] }); });
  after(() => cluster.close());

  /** While the disk is slow Redis holds back what it writes to its file: a kill would take that with it. */
  const isWritten = (node: PrivateRedis): Promise<unknown> => eventually(async () => { expect(await cluster.ask(node, (client) => client.info('persistence'))).to.include('aof_buffer_length:0\r'); });

  for (const [name, way] of Object.entries(ways)) {
    for (const auth of ['off', 'on']) {
      it(`changes the tasks of living shards, and shows what was done to them, while it is ${name} (AUTH=${auth})`, async () => {
        const key = `krs_boot_${'ab'.repeat(32)}`;
        const service = await Service.start({ workers: 0, settings: { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, ...(auth === 'on' && { AUTH: 'on', BOOTSTRAP_API_KEY: key }) } });
        const ask = (path: string, init: RequestInit = {}): Promise<Answer> => call(service.baseUrl, path, { ...init, headers: { ...(init.headers as Record<string, string> | undefined), ...(auth === 'on' && { authorization: `Bearer ${key}` }) } });
        const ownerOf = async (tag: string): Promise<PrivateRedis> => (await cluster.ownerOf(`{${service.prefix}-${tag}}`)).owner;
        const victim = await ownerOf('flow');
        const owners = await Promise.all(Array.from({ length: SHARDS }, (_, shard) => ownerOf(String(shard))));
        const away = new Set(owners.flatMap((owner, shard) => (owner === victim ? [shard] : [])));
        const queues = [...away].map((shard) => `deliver-${shard}`).sort();
        const newTask = async (isAway: boolean): Promise<string> => {
          for (;;) {
            const id = uniqueId();
            if (away.has(shardOf(id, SHARDS)) !== isAway) continue;
            expect((await ask('/tasks', json('POST', httpTask('http://127.0.0.1:9/', { id, initial_delay: 3_600 })))).status).to.equal(201);
            return id;
          }
        };
        const timed = async (path: string, init?: RequestInit): Promise<Answer> => {
          const startedAt = performance.now();
          const answer = await ask(path, init);
          expect(performance.now() - startedAt, `${init?.method ?? 'GET'} ${path} ${answer.status}`).to.be.at.most(ANSWERED_WITHIN_MS);
          return answer;
        };
        const audit = async (query = ''): Promise<{ readonly entries: readonly ShownEntry[]; readonly next_cursor: string | null; readonly is_complete: boolean; readonly shards_away: readonly string[] }> => {
          const { status, body } = await timed(`/audit?limit=1000${query}`);
          expect(status, JSON.stringify(body)).to.equal(200);
          return body as unknown as Awaited<ReturnType<typeof audit>>;
        };
        try {
          expect((await ask(`${PLACE}/pause`, { method: 'POST' })).status).to.equal(200);
          const gone = await newTask(true);
          const goneToo = await newTask(true);
          expect((await ask(`/tasks/${goneToo}`, { method: 'DELETE' })).status).to.equal(200);
          const living = await Promise.all(Array.from({ length: TASKS }, () => newTask(false)));
          await isWritten(victim);
          await way.away(victim);
          const expected: string[] = [];
          try {
            // The first one at once, the last ones when it is known.
            for (const [nth, id] of living.entries()) {
              for (const { action, status, path, init } of Object.values(changes)) {
                const answer = await timed(path(id), init());
                expect(answer.status, `${action} ${nth} ${JSON.stringify(answer.body)}`).to.equal(status);
                expected.push(`${action} ${id} done`);
              }
              // As a client does that got no answer.
              expect((await timed(`/tasks/${id}`, { method: 'DELETE' })).status).to.equal(409);
              expected.push(`task.cancel ${id} failed`);
              for (const { action, path, init } of Object.values(changes)) {
                const refused = await timed(path(gone), init());
                expect([refused.status, refused.body['code']], action).to.deep.equal([503, 'redis_unavailable']);
              }
              const shown = await audit();
              expect([shown.is_complete, [...shown.shards_away].sort()]).to.deep.equal([false, queues]);
              expect(shown.entries.map(({ action, target, outcome }) => `${action} ${target.id} ${outcome}`)).to.deep.equal([...expected].reverse());
            }
            const shardThere = owners.findIndex((owner) => owner !== victim);
            const retried = await timed(`/admin/queues/api/queues/deliver-${shardThere}/retry/failed`, { method: 'PUT' });
            expect(retried.status).to.equal(200);
            expected.push(`task.retry deliver-${shardThere} done`);
            // What concerns the whole fleet cannot be changed.
            expect((await timed(`${PLACE}/resume`, { method: 'POST' })).status).to.equal(503);
          } finally {
            await way.back(victim);
            await cluster.isWhole();
          }
          const { entries } = await eventually(async () => {
            const whole = await audit();
            expect(whole).to.include({ is_complete: true }).and.to.deep.include({ shards_away: [] });
            return whole;
          }, { withinMs: 20_000, everyMs: 100 });
          const ofLiving = entries.filter(({ target }) => target.id !== gone).map(({ action, target, outcome }) => `${action} ${target.id} ${outcome}`);
          expect(ofLiving).to.deep.equal(['destination.pause http://127.0.0.1:9 done', `task.cancel ${goneToo} done`, ...expected].reverse());
          expect(new Set(entries.map(({ id }) => id)).size).to.equal(entries.length);
          // What was refused may have been begun when it fell silent, and was not done.
          expect((await ask(`/tasks/${gone}`)).body).to.include({ state: 'scheduled', edits: 0 });
        } finally {
          await service.close();
        }
      });
    }

    it(`goes on with a list that was begun before it was ${name}, and when it is back, without an entry twice`, async () => {
      const service = await Service.start({ workers: 0, settings: { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses } });
      const victim = (await cluster.ownerOf(`{${service.prefix}-flow}`)).owner;
      try {
        const ids = Array.from({ length: 40 }, uniqueId);
        for (const [nth, id] of ids.entries()) {
          await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { id, initial_delay: 3_600 }));
          expect((await call(service.baseUrl, nth % 4 === 0 ? `${PLACE}/pause` : `/tasks/${id}`, { method: nth % 4 === 0 ? 'POST' : 'DELETE' })).status).to.equal(200);
        }
        const all = (await call(service.baseUrl, '/audit')).body['entries'] as ShownEntry[];
        expect(all).to.have.lengthOf(40);
        const seen: string[] = [];
        let isWhole = true;
        let cursor = '';
        const next = async (): Promise<boolean> => {
          const { status, body } = await call(service.baseUrl, `/audit?limit=5${cursor === '' ? '' : `&cursor=${cursor}`}`);
          expect(status, JSON.stringify(body)).to.equal(200);
          seen.push(...(body['entries'] as ShownEntry[]).map(({ id }) => id));
          isWhole = body['is_complete'] === true;
          cursor = (body['next_cursor'] as string | null) ?? '';
          return cursor !== '';
        };
        await next();
        await isWritten(victim);
        await way.away(victim);
        try {
          await eventually(async () => { expect((await call(service.baseUrl, '/audit')).body['is_complete']).to.equal(false); });
          await next();
          expect(isWhole).to.equal(false);
        } finally {
          await way.back(victim);
          await cluster.isWhole();
        }
        await eventually(async () => { expect((await call(service.baseUrl, '/audit')).body['is_complete']).to.equal(true); }, { withinMs: 20_000, everyMs: 100 });
        for (let pages = 0; await next(); pages += 1) expect(pages).to.be.below(20);
        const order = all.map(({ id }) => id);
        expect(seen, 'in order, none twice').to.deep.equal(order.filter((id) => seen.includes(id)));
        expect(seen.slice(0, 5)).to.deep.equal(order.slice(0, 5));
        // All that is behind the page that had a hole.
        const tenth = order.indexOf(seen[9] ?? '');
        expect(seen.slice(10)).to.deep.equal(order.slice(tenth + 1));
      } finally {
        await service.close();
      }
    });
  }
});
