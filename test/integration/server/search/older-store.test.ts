import { expect } from 'chai';

import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { jobIdOf, shardOf } from '../../../../shared/queue/names.js';
import { eventually } from '../../../support/eventually.js';
import { RedisCluster } from '../../../support/redis-cluster.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { tasksOf010 } from '../../../support/stored-tasks.js';
import { submitBatch, taskPages, walkedIds } from '../../../support/task-pages.js';
import { call, httpTask } from '../../../support/tasks.js';

const OLD = 600;
const NEW = 100;
const old = Array.from({ length: OLD }, (_, nth) => `old-${String(nth).padStart(5, '0')}`);
const isParked = (nth: number): boolean => nth % 3 === 0;

/** Puts tasks into the shards as 0.1.0 stored them: without the fields that a search goes by. */
async function fillBy010({ queue, redis }: InProcessService): Promise<void> {
  const stored = await tasksOf010('http://127.0.0.1:9');
  const shards = await queue.shards();
  await Promise.all(old.map(async (id, nth) => {
    const keys = shards[shardOf(id, shards.length)]?.keys;
    if (keys === undefined) throw new Error('no shard');
    await redis.hset(keys.job(id), stored(isParked(nth) ? 'parked' : 'retrying', id));
    if (isParked(nth)) await redis.zadd(keys.failed, 1_795_539_397_469, jobIdOf(id));
    else await redis.zadd(keys.delayed, 1_795_539_997_477 * 4_096 + nth, jobIdOf(id));
  }));
}

const places = {
  'in 16 shards of one Redis': { shards: 16, isCluster: false },
  'in 6 shards of a Redis Cluster': { shards: 6, isCluster: true },
} as const;

const IN_THE_END = { withinMs: 30_000 };

for (const [name, { shards, isCluster }] of Object.entries(places)) {
  describe(`searches of a store that 0.1.0 has filled, ${name}`, function () {
    this.timeout(120_000);
    let cluster: RedisCluster | undefined;
    let service: InProcessService;

    beforeEach(async () => {
      cluster = isCluster ? await RedisCluster.start({ masters: 3, replicas: 0 }) : undefined;
      service = await InProcessService.ready({
        shards,
        ...(cluster === undefined ? {} : { redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false } }),
      });
      await fillBy010(service);
      await submitBatch(service.baseUrl, Array.from({ length: NEW }, (_, nth) => httpTask('http://127.0.0.1:9/hook', { id: `new-${nth}`, client_id: nth === 0 ? 'rare' : 'team-b', initial_delay: 3_600, is_priority: nth % 2 === 0, message_data: `{"order":{"id":${1_000 + nth}}}` })));
    });
    afterEach(async () => {
      await service.close();
      await cluster?.close();
    });

    const count = async (query: Readonly<Record<string, string>>): Promise<Readonly<Record<string, unknown>>> => {
      const { status, body } = await call(service.baseUrl, `/counts?${new URLSearchParams(query).toString()}`);
      expect(status, JSON.stringify(body)).to.equal(200);
      return body;
    };

    it('count exactly, by state, client, error and status', async () => {
      const exact = { is_exact: true, is_complete: true, shards_away: [], not_read: 0, next_cursor: null };
      const groups = async (by: string): Promise<unknown> => {
        const { groups: found, ...rest } = await count({ by });
        expect(rest).to.deep.include(exact);
        return found;
      };
      // A count says so when a crowded machine has not read all in its time.
      await eventually(async () => { expect(await count({})).to.deep.include({ count: OLD + NEW, scanned: OLD + NEW, ...exact }); }, IN_THE_END);
      await eventually(async () => { expect(await groups('state')).to.have.deep.members([{ value: 'retrying', count: 400 }, { value: 'parked', count: 200 }, { value: 'scheduled', count: NEW }]); }, IN_THE_END);
      await eventually(async () => { expect(await groups('client_id')).to.have.deep.members([{ value: 'team-a', count: OLD }, { value: 'team-b', count: NEW - 1 }, { value: 'rare', count: 1 }]); }, IN_THE_END);
      await eventually(async () => { expect(await groups('http_status')).to.have.deep.members([{ value: 500, count: OLD }, { value: null, count: NEW }]); }, IN_THE_END);
      await eventually(async () => { expect(await count({ error_code: 'http_server_error', state: 'parked' })).to.deep.include({ count: 200, ...exact }); }, IN_THE_END);
    });

    it('find each task once, page by page, in both orders', async () => {
      for (const order of ['newest', 'oldest']) {
        expect([...await walkedIds(service.baseUrl, { client_id: 'team-a', order, limit: '70' })].sort(), order).to.deep.equal(old);
        expect([...await walkedIds(service.baseUrl, { state: 'parked', order, limit: '33' })].sort(), order).to.deep.equal(old.filter((_id, nth) => isParked(nth)));
      }
    });

    it('find one client, a value in messages, and nothing, and say how much they looked at', async () => {
      const all = OLD + NEW;
      for (const [query, expected] of [
        [{ client_id: 'rare' }, ['new-0']],
        [{ 'data.order.id': '1001' }, ['new-1']],
        [{ q: 'data.order:1042 id:old-0000*' }, old.slice(0, 10).filter((_id, nth) => !isParked(nth))],
        [{ client_id: 'nobody' }, []],
        [{ 'data.order.id': '77' }, []],
      ] as const) {
        const what = JSON.stringify(query);
        const pages = await eventually(async () => {
          const read = await taskPages(service.baseUrl, { ...query, limit: '1000' });
          expect(read.every(({ is_complete: isComplete, not_read: notRead }) => isComplete && notRead === 0), what).to.equal(true);
          return read;
        }, IN_THE_END);
        expect(pages.flatMap(({ tasks }) => tasks.map(({ id }) => id)).sort(), what).to.deep.equal(expected);
        // A page that has a task ends soon on a crowded machine, and the next one looks once more at some of those behind it. No page looks twice.
        expect(pages.reduce((sum, { scanned }) => sum + scanned, 0), what).to.be.within(all, all * pages.length);
        // It says so when a crowded machine has not read all in its time.
        await eventually(async () => { expect(await count(query), what).to.deep.include({ count: expected.length, scanned: all, is_exact: true }); }, IN_THE_END);
      }
    });

    it('write nothing into the tasks', async () => {
      await walkedIds(service.baseUrl, { client_id: 'team-a', limit: '1000' });
      const [first = ''] = old;
      const all = await service.queue.shards();
      const keys = all[shardOf(first, all.length)]?.keys;
      expect(await service.redis.hexists(keys?.job(first) ?? '', jobField.search)).to.equal(0);
    });
  });
}
