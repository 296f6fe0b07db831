import { expect } from 'chai';

import { SCORE_PER_MS } from '../../../../shared/queue/engine/due-score.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import type { Shard } from '../../../../shared/queue/engine/shard.js';
import { jobIdOf, shardOf, taskIdOf } from '../../../../shared/queue/names.js';
import { packFailureFields } from '../../../../shared/queue/search/failure-fields.js';
import { MOST_WAITING_LISTS } from '../../../../shared/queue/search/held-tasks-lua.js';
import { readBulkAction, startBulkAction } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { submitBatch, taskPages, walkedIds } from '../../../support/task-pages.js';
import { call, httpTask, type WireTask } from '../../../support/tasks.js';

const TASKS = 1_200;
/** Tasks that wait for their time, behind those that are held. */
const LATER = 200;
/** Between two pages all that are held come due. */
const LIMIT = 200;

for (const shards of [1, 4]) {
  describe(`tasks that a pause holds, over ${shards === 1 ? 'one shard' : `${shards} shards`}`, function () {
    this.timeout(120_000);
    let service: InProcessService;
    let receiver: Receiver;
    const ids = Array.from({ length: TASKS }, (_, nth) => `held-${String(nth).padStart(5, '0')}`);

    before(async () => {
      [service, receiver] = await Promise.all([InProcessService.ready({ shards }), createReceiver()]);
      const task = (id: string, nth: number): WireTask => httpTask(receiver.url(`/paused/${nth % 3}`), { id, client_id: 'held', is_priority: nth % 5 === 0 });
      for (const nth of [0, 1, 2]) await call(service.baseUrl, `/destinations/${encodeURIComponent(receiver.url(`/paused/${nth}`))}/pause`, { method: 'POST' });
      await submitBatch(service.baseUrl, [...ids.map(task), ...ids.slice(0, LATER).map((id, nth) => httpTask(receiver.url('/ok'), { id: `later-${id}`, client_id: 'held', initial_delay: 3_600 + nth }))]);
      await service.startWorker();
      await eventually(async () => { expect(await inDelayed()).to.equal(TASKS); }, { withinMs: 60_000 });
    });
    after(async () => {
      await service.close();
      await receiver.close();
    });

    /** Held tasks whose time is not over. */
    async function inDelayed(): Promise<number> {
      const scores = await Promise.all((await service.queue.shards()).map(({ keys }) => service.redis.zcount(keys.delayed, (Date.now() + 1_000) * SCORE_PER_MS, (Date.now() + 1_800_000) * SCORE_PER_MS)));
      return scores.reduce((sum, count) => sum + count, 0);
    }

    /** As if the time of all that are held were over: the worker takes them and puts them back, in bulk or one by one. @returns how many came due */
    async function comeDue(): Promise<number> {
      let due = 0;
      for (const { keys } of await service.queue.shards()) {
        const members = await service.redis.zrangebyscore(keys.delayed, '-inf', (Date.now() + 1_800_000) * SCORE_PER_MS);
        const now = Date.now() * SCORE_PER_MS;
        if (members.length > 0) await service.redis.zadd(keys.delayed, 'XX', ...members.flatMap((member) => [now, member]));
        await service.redis.zadd(keys.marker, 0, '0');
        due += members.length;
      }
      return due;
    }

    /** As if a worker had just fetched a task that is held. @returns its shard */
    async function fetchAgain(id: string): Promise<Shard> {
      await eventually(async () => { expect(await inDelayed(), 'none is on its way').to.be.at.least(TASKS - 1); }, { withinMs: 30_000 });
      const shard = (await service.queue.shards())[shardOf(id, shards)];
      if (shard === undefined) throw new Error('no shard');
      await service.redis.hincrby(shard.keys.job(id), jobField.fetches, 1);
      await service.redis.hset(shard.keys.job(id), jobField.startedAt, Date.now() - 100);
      return shard;
    }

    for (const [order, more] of [['newest', {}], ['oldest', { state: 'waiting' }]] as const) {
      it(`come once each, from the ${order} one on, however often they are put back meanwhile`, async () => {
        let moved = 0;
        const pages = await taskPages(service.baseUrl, { client_id: 'held', order, limit: String(LIMIT), ...more }, async () => { moved += await comeDue(); });
        const seen = pages.flatMap(({ tasks }) => tasks.map(({ id }) => id));
        expect(seen.filter((id) => id.startsWith('held')).sort(), 'each once').to.deep.equal(ids);
        expect(new Set(seen).size, 'none twice').to.equal(seen.length);
        expect(pages.at(-1)?.is_complete).to.equal(true);
        expect(moved, 'moved meanwhile').to.be.above(2 * TASKS);
      });
    }

    it('are counted exactly while they are put back', async () => {
      let [count, scanned] = [0, 0];
      for (let cursor: string | null | undefined, isFirst = true; isFirst || cursor !== null; isFirst = false) {
        const [{ body }] = await Promise.all([call(service.baseUrl, `/counts?client_id=held&by=state${isFirst ? '' : `&cursor=${String(cursor)}`}`), comeDue()]);
        count += Number(body['count']);
        scanned += Number(body['scanned']);
        cursor = body['next_cursor'] as string | null;
        expect(body['is_complete'], 'each part').to.equal(true);
      }
      expect([count, scanned]).to.deep.equal([TASKS + LATER, TASKS + LATER]);
    });

    /** The one that has waited for the shortest time: a list reads it first, from the newest on. */
    async function newestHeld(): Promise<string> {
      let [newest, at] = ['', -Infinity];
      for (const { keys } of await service.queue.shards()) {
        for (const name of await service.redis.zrange(keys.waitingLists, '0', '-1')) {
          const [member = '', score] = await service.redis.zrange(keys.waitingList(name), '-1', '-1', 'WITHSCORES');
          if (Number(score) > at) [newest, at] = [taskIdOf(member) ?? '', Number(score)];
        }
      }
      return newest;
    }

    /** A list of held tasks, of which one comes to match behind the first page. @returns whether it says so, or has that one */
    async function tellsOf(id: string, query: Readonly<Record<string, string>>, comeToMatch: () => Promise<void>): Promise<boolean> {
      let isFirst = true;
      const pages = await taskPages(service.baseUrl, { limit: String(LIMIT), order: 'newest', ...query }, async () => {
        if (isFirst) await comeToMatch();
        isFirst = false;
      });
      const seen = pages.flatMap(({ tasks }) => tasks.map((task) => task.id));
      expect(seen, 'there were others').to.have.length.above(LIMIT);
      expect(new Set(seen).size, 'none twice').to.equal(seen.length);
      return seen.includes(id) || pages.at(-1)?.is_complete === false;
    }

    it('are missing in no list in silence when a bulk action makes them match behind their place', async () => {
      const newest = await newestHeld();
      const sendNow = async (id: string, of: readonly string[]): Promise<void> => {
        await startBulkAction(service.baseUrl, { id, action: 'send_now', ids: of });
        await eventually(async () => { expect(await readBulkAction(service.baseUrl, id)).to.include({ state: 'done', started: of.length }); });
      };
      await sendNow('first', ids.filter((id) => id !== newest).slice(0, 2 * LIMIT));
      // Those that it has sent now are put back.
      await eventually(async () => { expect(await inDelayed()).to.equal(TASKS); }, { withinMs: 30_000 });
      expect(await tellsOf(newest, { bulk_action_id: 'first,second' }, () => sendNow('second', [newest]))).to.equal(true);
      await eventually(async () => { expect(await inDelayed()).to.equal(TASKS); }, { withinMs: 30_000 });
      const quiet = await taskPages(service.baseUrl, { bulk_action_id: 'first,second', limit: '1000' });
      expect([quiet.flatMap(({ tasks }) => tasks).length, quiet.at(-1)?.is_complete], 'by then it is one of those that are held').to.deep.equal([2 * LIMIT + 1, true]);
    });

    it('are missing in no list in silence when an edit makes them match behind their place', async () => {
      const id = ids[9] ?? '';
      const edit = async (text: string): Promise<void> => {
        const { status, body } = await call(service.baseUrl, `/tasks/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ message_data: JSON.stringify({ edited: text }) }) });
        expect(status, JSON.stringify(body)).to.equal(200);
      };
      await edit('no');
      await eventually(async () => { expect(await inDelayed()).to.equal(TASKS); }, { withinMs: 30_000 });
      expect(await tellsOf(id, { client_id: 'held', q: '-data.edited:no' }, () => edit('yes'))).to.equal(true);
      await eventually(async () => { expect(await inDelayed()).to.equal(TASKS); }, { withinMs: 30_000 });
    });

    it('are missing in no list in silence when a send that their waiting list knows nothing of makes them match', async () => {
      const newest = await newestHeld();
      await eventually(async () => { expect(await inDelayed()).to.equal(TASKS); }, { withinMs: 30_000 });
      const shard = (await service.queue.shards())[shardOf(newest, shards)];
      if (shard === undefined) throw new Error('no shard');
      const key = shard.keys.job(newest);
      const before = await service.redis.hgetall(key);
      const failure = { attemptsMade: 1, phase: 'delivery', attempts: 1, code: 'timeout', httpStatus: undefined, deadReason: undefined, dueAt: Date.now() + 60_000, next: 'retry' } as const;
      const failsBy = async (code: 'timeout' | 'http_status'): Promise<void> => {
        await service.redis.hset(key, jobField.failure, packFailureFields({ ...failure, code, endedAt: Date.now() }), jobField.attemptsMade, 1);
      };
      try {
        await failsBy('timeout');
        const told = await tellsOf(newest, { client_id: 'held', q: '-error_code:timeout' }, async () => {
          await fetchAgain(newest);
          await failsBy('http_status');
        });
        expect(told).to.equal(true);
      } finally {
        await service.redis.multi().hdel(key, jobField.failure, jobField.attemptsMade).hset(key, before).exec();
      }
    });

    it('come once when one of them was sent a moment before, and its waiting list still names it', async () => {
      const id = ids[7] ?? '';
      await fetchAgain(id);
      expect((await walkedIds(service.baseUrl, { client_id: 'held', limit: '1000' })).filter((each) => each === id)).to.deep.equal([id]);
    });

    it('come as delivering while they are sent, whether the filter names that state or leaves out others, and once where both are asked for', async () => {
      const id = ids[8] ?? '';
      const { keys } = await fetchAgain(id);
      await service.redis.multi().zrem(keys.delayed, jobIdOf(id)).lpush(keys.active, jobIdOf(id)).exec();
      const asked = [{ state: 'delivering' }, { q: '-state:scheduled -state:retrying' }, { q: '-state:parked', limit: '1000' }];
      for (const query of asked) {
        await service.redis.hset(keys.job(id), jobField.startedAt, Date.now() - 100);
        expect((await walkedIds(service.baseUrl, { client_id: 'held', ...query })).filter((each) => each === id), JSON.stringify(query)).to.deep.equal([id]);
      }
      await service.redis.hset(keys.job(id), jobField.startedAt, Date.now() - 100);
      const { body } = await call(service.baseUrl, '/counts?client_id=held&state=delivering');
      expect(body).to.include({ count: 1 });
    });

    it('end where there are more waiting lists by then than are read, and the list says what it may lack', async () => {
      const all = (await service.queue.shards()).map(({ keys }) => keys.waitingLists);
      const names = Array.from({ length: 2 * MOST_WAITING_LISTS.later }, (_, nth) => `http://one-of-many-${nth}`);
      let isFirst = true;
      try {
        const pages = await taskPages(service.baseUrl, { client_id: 'held', limit: String(LIMIT) }, async () => {
          if (isFirst) for (const key of all) await service.redis.zadd(key, ...names.flatMap((name) => [Date.now(), name]));
          isFirst = false;
        });
        const seen = pages.flatMap(({ tasks }) => tasks.map(({ id }) => id));
        expect(new Set(seen).size, 'none twice').to.equal(seen.length);
        expect(pages.at(-1)?.is_complete).to.equal(false);
      } finally {
        for (const key of all) await service.redis.zrem(key, ...names);
      }
    });
  });
}
