import { expect } from 'chai';

import type { TaskState } from '../../../../shared/domain/task/task.js';
import { SCORE_PER_MS } from '../../../../shared/queue/engine/due-score.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { jobIdOf } from '../../../../shared/queue/names.js';
import { WaitingLists } from '../../../../shared/queue/flow/waiting-lists.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { submitBatch, taskPage, walkedIds } from '../../../support/task-pages.js';
import { call, cancel, httpTask, retryNow, type WireTask } from '../../../support/tasks.js';

/** How many tasks move at least while the walks are made. */
const MOVES = 2_000;
/** After so many rounds nothing more comes: a list that grows faster than it is read has no end. */
const MOST_ROUNDS = 30;
const HOUR_S = 3_600;
const orders = ['newest', 'oldest'] as const;
/** More than a page in each state. */
const LIMIT = '25';

const ids = (prefix: string, many: number): string[] => Array.from({ length: many }, (_, nth) => `${prefix}-${String(nth).padStart(5, '0')}`);

let service: InProcessService;
let receiver: Receiver;

/** Walks through a list, and compares the tasks that stay. */
async function expectEachOnce(query: Readonly<Record<string, string>>, stays: readonly string[]): Promise<void> {
  for (const order of orders) {
    const seen = await walkedIds(service.baseUrl, { ...query, order, limit: LIMIT });
    const what = `${JSON.stringify(query)} ${order}`;
    expect(seen.filter((id) => id.startsWith('stays')).sort(), what).to.deep.equal([...stays].sort());
    expect(new Set(seen).size, `no task twice: ${what}`).to.equal(seen.length);
  }
}

/**
 * Does both at the same time: walks are made until enough tasks have moved, and tasks move until the walks are over.
 * @param move moves the next tasks, and gives how many have moved so far
 */
async function walkWhile(move: (nth: number) => Promise<number>, walk: () => Promise<void>): Promise<void> {
  let moved = 0;
  let isWalking = true;
  let isMoving = true;
  const moving = async (): Promise<void> => {
    try {
      for (let nth = 0; moved < MOVES || (isWalking && nth < MOST_ROUNDS); nth += 1) moved = await move(nth);
    } finally {
      isMoving = false;
    }
  };
  const walking = async (): Promise<void> => {
    try {
      do await walk();
      while (isMoving && moved < MOVES);
    } finally {
      isWalking = false;
    }
  };
  await Promise.all([moving(), walking()]);
}

for (const shards of [1, 4]) {
  describe(`a walk through the pages of GET /tasks over ${shards === 1 ? 'one shard' : `${shards} shards`}`, function () {
    this.timeout(240_000);
    beforeEach(async () => {
      receiver = await createReceiver();
      service = await InProcessService.ready({ shards, dead: { attempts: 5, baseDelayMs: HOUR_S * 1_000, maxDelayMs: HOUR_S * 1_000 } });
    });
    afterEach(async () => {
      await service.close();
      await receiver.close();
    });

    it('gives each task that stays in its state once, in each state, while workers move thousands of others', async () => {
      receiver.on('/404', { kind: 'answer', status: 404 });
      receiver.on('/500', { kind: 'answer', status: 500 });
      receiver.on('/hang', { kind: 'hang' });
      receiver.on('/moves', ({ taskId }) => ({ kind: 'answer', status: /[07]$/.test(taskId) ? 404 : 200 }));
      const url = (path: string): string => receiver.url(path);
      const ofState: Readonly<Record<TaskState, Partial<WireTask>>> = {
        scheduled: { initial_delay: HOUR_S },
        delivering: { destination: { url: url('/hang') } },
        retrying: { destination: { url: url('/404') }, max_retries: 1, base_delay: HOUR_S },
        dead_lettering: { destination: { url: url('/404') }, dead_destination: { url: url('/500') } },
        delivered: {},
        cancelled: { initial_delay: HOUR_S },
        dead_lettered: { destination: { url: url('/404') } },
        parked: { destination: { url: url('/404') }, on_exhausted: 'park' },
      };
      // The keys of the record.
      const states = Object.keys(ofState) as TaskState[];
      const staysIn = (state: TaskState): string[] => ids(`stays-${state}`, state === 'delivering' ? 30 : 60);
      const staying = (id: string, nth: number, changes: Partial<WireTask>): WireTask => httpTask(url('/ok'), { id, dead_destination: { url: url('/ok') }, is_priority: nth % 3 === 0, ...changes });
      // Held by a pause, and due: they are scheduled, too.
      const held = ids('stays-held', 60);
      expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(url('/paused'))}/pause`, { method: 'POST' })).status).to.equal(200);
      await submitBatch(service.baseUrl, [...states.flatMap((state) => staysIn(state).map((id, nth) => staying(id, nth, ofState[state]))), ...held.map((id, nth) => staying(id, nth, { destination: { url: url('/paused') } }))]);
      await Promise.all(staysIn('cancelled').map((id) => cancel(service.baseUrl, id)));
      await service.startWorker({ concurrency: 200, deliveryTimeout: '200s' });
      for (const state of states) {
        await eventually(async () => { expect(await walkedIds(service.baseUrl, { state, id: `stays-${state}*` })).to.have.lengthOf(staysIn(state).length); }, { withinMs: 60_000 });
      }
      const isHeld = async (id: string): Promise<void> => {
        const { body } = await call(service.baseUrl, `/tasks/${id}`);
        expect(body['waiting_for'], id).to.have.property('code', 'paused');
      };
      await eventually(() => Promise.all(held.map(isHeld)), { withinMs: 60_000 });

      const moves = async (nth: number): Promise<number> => {
        const { baseUrl } = service;
        await submitBatch(baseUrl, ids(`moves-${nth}`, 100).map((id, at) => httpTask(url('/moves'), { id, dead_destination: { url: url('/ok') }, is_priority: at % 2 === 0, initial_delay: at % 5 === 0 ? 5 : (at % 3) / 10, max_retries: at % 20 === 0 ? 2 : 0, ...(at % 7 === 0 ? { on_exhausted: 'park' } : {}) })));
        const dead = (await taskPage(baseUrl, { state: 'dead_lettered,parked', id: 'moves*', limit: '10' })).tasks;
        const waiting = (await taskPage(baseUrl, { state: 'scheduled', id: 'moves*', limit: '10' })).tasks;
        await Promise.all([...dead.map(({ id }) => retryNow(baseUrl, id)), ...waiting.map(({ id }, at) => (at % 2 === 0 ? cancel(baseUrl, id) : retryNow(baseUrl, id)))]);
        return receiver.requestsTo('/moves').length;
      };
      await walkWhile(moves, async () => {
        for (const state of states) await expectEachOnce({ state }, state === 'scheduled' ? [...staysIn(state), ...held] : staysIn(state));
        await expectEachOnce({ state: 'waiting' }, [...staysIn('scheduled'), ...held, ...staysIn('retrying'), ...staysIn('dead_lettering')]);
        await expectEachOnce({ q: '-state:delivered,cancelled' }, [...held, ...states.filter((state) => state !== 'delivered' && state !== 'cancelled').flatMap(staysIn)]);
      });
    });

    it('gives each due task once, with priority or without, while thousands of others come before, between and behind them, and go', async () => {
      const stays = ids('stays', 90);
      const due = (id: string, nth: number): WireTask => httpTask('http://127.0.0.1:9/hook', { id, is_priority: nth % 3 === 0 });
      const moving: string[] = [];
      const come = async (nth: number): Promise<void> => {
        const names = ids(`moves-${nth}`, 100);
        await submitBatch(service.baseUrl, names.map((id, at) => ({ ...due(id, at), initial_delay: at % 2 === 0 ? 0 : HOUR_S })));
        moving.push(...names);
      };
      for (const [nth, part] of [stays.slice(0, 30), stays.slice(30, 60), stays.slice(60)].entries()) {
        await come(-3 + nth);
        await submitBatch(service.baseUrl, part.map(due));
      }
      let moved = 0;
      const moves = async (nth: number): Promise<number> => {
        await come(nth);
        // From both ends: what came last is made due or changes its place, and what came first goes.
        const changed = moving.slice(-60);
        const priority = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ is_priority: nth % 2 === 0 }) };
        await Promise.all(changed.map((id, at) => (at % 2 === 0 ? call(service.baseUrl, `/tasks/${id}`, priority) : retryNow(service.baseUrl, id))));
        const gone = moving.splice(0, 100);
        await Promise.all(gone.map((id) => cancel(service.baseUrl, id)));
        moved += changed.length + gone.length;
        return moved;
      };
      await walkWhile(moves, async () => {
        for (const state of ['scheduled', 'waiting']) await expectEachOnce({ state }, stays);
        await expectEachOnce({ client_id: 'team-a', q: '-state:cancelled' }, stays);
      });
    });

    it('gives a task once that flow control held, and wakes between two pages, also one whose time was over', async () => {
      const held = ['held', 'held-due'];
      expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(receiver.url('/paused'))}/pause`, { method: 'POST' })).status).to.equal(200);
      await submitBatch(service.baseUrl, [...held.map((id) => httpTask(receiver.url('/paused'), { id })), httpTask(receiver.url('/ok'), { id: 'later', initial_delay: HOUR_S }), httpTask(receiver.url('/ok'), { id: 'soon', initial_delay: 50 })]);
      const worker = await service.startWorker();
      for (const id of held) await eventually(async () => { expect((await call(service.baseUrl, `/tasks/${id}`)).body['waiting_for']).to.have.property('code', 'paused'); });
      await worker.stop(0);
      for (const { keys } of await service.queue.shards()) await service.redis.zadd(keys.delayed, 'XX', Date.now() * SCORE_PER_MS - 4_096_000, jobIdOf('held-due'));
      const query = { state: 'scheduled', order: 'newest', limit: '2' };
      const first = await taskPage(service.baseUrl, query);
      expect(first.tasks.map(({ id }) => id).sort(), 'held tasks come first').to.deep.equal(held);
      let woken = 0;
      for (const shard of await service.queue.shards()) {
        const lists = await service.redis.zrange(shard.keys.waitingLists, '0', '-1');
        for (const list of lists) woken += (await new WaitingLists(shard).wake(list, 2)).woken;
      }
      expect(woken).to.equal(2);
      const rest: string[] = [];
      for (let cursor = first.next_cursor; cursor !== null; ) {
        const { tasks, next_cursor: next } = await taskPage(service.baseUrl, { ...query, cursor });
        rest.push(...tasks.map(({ id }) => id));
        cursor = next;
      }
      expect(rest, 'both are due, and stand in front of the cursor again').to.deep.equal(['later', 'soon']);
    });

    it('gives each priority task of an older version once, while others come to both ends of its list and go', async () => {
      const stays = ids('stays', 120);
      const urgent = async (names: readonly string[]): Promise<void> => submitBatch(service.baseUrl, names.map((id) => httpTask('http://127.0.0.1:9/hook', { id, is_priority: true })));
      await urgent(stays);
      const lists = (await service.queue.shards()).map(({ keys }) => keys);
      // As such a version stored it: without BullMQ's priority, in the list.
      const toList = async (end: 'lpush' | 'rpush'): Promise<void> => {
        for (const keys of lists) {
          const jobIds = await service.redis.zrange(keys.prioritized, '0', '-1');
          if (jobIds.length === 0) continue;
          const pipeline = service.redis.pipeline().zrem(keys.prioritized, ...jobIds)[end](keys.wait, ...jobIds);
          for (const jobId of jobIds) pipeline.hset(`${keys.base}${jobId}`, jobField.priority, 0);
          await pipeline.exec();
        }
      };
      await toList('lpush');
      let moved = 0;
      const moves = async (nth: number): Promise<number> => {
        for (const end of ['lpush', 'rpush'] as const) {
          const names = ids(`moves-${nth}-${end}`, 50);
          await urgent(names);
          await toList(end);
          moved += names.length;
          if (nth % 3 > 0) await Promise.all(names.map((id) => cancel(service.baseUrl, id)));
        }
        return moved;
      };
      await walkWhile(moves, async () => { await expectEachOnce({ state: 'waiting', id: 'stays*' }, stays); });
      const lengths = await Promise.all(lists.map(({ wait }) => service.redis.llen(wait)));
      expect(lengths.reduce((sum, length) => sum + length), 'in the lists').to.be.at.least(stays.length);
    });
  });
}
