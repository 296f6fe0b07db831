import { expect } from 'chai';

import { SCORE_PER_MS } from '../../../../shared/queue/engine/due-score.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { jobIdOf, shardOf } from '../../../../shared/queue/names.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { submitBatch, taskPages, type Summary } from '../../../support/task-pages.js';
import { call, cancel, httpTask, retryNow } from '../../../support/tasks.js';

const SHARDS = 2;
const TIMES = ['created_at', 'updated_at', 'next_attempt_at', 'finished_at'] as const;
type Time = (typeof TIMES)[number];
const HOUR_MS = 3_600_000;

/**
 * Tasks of which many share a millisecond, and whose times come from all places where one is stored: a score, the time of a move, a failure.
 * What a filter finds is compared with what the list of all tasks shows.
 */
describe('A filter on a time', function () {
  this.timeout(60_000);
  let service: InProcessService;
  let all: readonly Summary[];

  before(async () => {
    service = await InProcessService.ready({ shards: SHARDS });
    const ids = (prefix: string, many: number): string[] => Array.from({ length: many }, (_, nth) => `${prefix}-${nth}`);
    const [later, parked, due, gone] = [ids('later', 16), ids('parked', 12), ids('due', 6), ids('gone', 4)];
    await submitBatch(service.baseUrl, [...later, ...parked, ...gone].map((id, nth) => httpTask('http://127.0.0.1:9/hook', { id, initial_delay: 3_600, is_priority: nth % 5 === 0 })));
    await submitBatch(service.baseUrl, due.map((id) => httpTask('http://127.0.0.1:9/hook', { id, initial_delay: 0 })));
    const shards = await service.queue.shards();
    // A task that ended in the future would be one that has moved since.
    const at = Math.floor(Date.now() / 1_000) * 1_000 - 10_000;
    for (const [nth, id] of later.entries()) {
      // The first and the last score of a millisecond.
      await service.redis.zadd(keysOf(id).delayed, 'XX', (at + HOUR_MS + (nth % 3)) * SCORE_PER_MS + (nth % 2 === 0 ? 0 : SCORE_PER_MS - 1), jobIdOf(id));
    }
    for (const [nth, id] of parked.entries()) {
      const keys = keysOf(id);
      const endedAt = at + (nth % 4);
      await service.redis.multi().zrem(keys.delayed, jobIdOf(id)).zadd(keys.failed, endedAt, jobIdOf(id)).zadd(keys.parked, endedAt, jobIdOf(id))
        .hset(keys.job(id), jobField.finishedAt, endedAt, jobField.attemptsMade, 1, jobField.failure, ['11', 'delivery', 1, 'timeout', '', 'permanent_error', '', 'park', endedAt].join('\x1f')).exec();
    }
    for (const id of [...later.slice(0, 5), ...parked.slice(0, 5)]) await patch(id);
    for (const id of gone) await cancel(service.baseUrl, id);
    await retryNow(service.baseUrl, later.at(-1) ?? '');
    all = (await taskPages(service.baseUrl, {})).flatMap(({ tasks }) => tasks);
    expect(all).to.have.lengthOf(38);

    function keysOf(id: string): (typeof shards)[number]['keys'] {
      const shard = shards[shardOf(id, SHARDS)];
      if (shard === undefined) throw new Error('no shard');
      return shard.keys;
    }
  });
  after(() => service.close());

  async function patch(id: string): Promise<void> {
    const { status } = await call(service.baseUrl, `/tasks/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ max_retries: 9 }) });
    expect(status).to.equal(200);
  }

  const timeOf = (task: Summary, field: Time): number => {
    const shown = task[field];
    return typeof shown === 'string' ? Date.parse(shown) : NaN;
  };
  const where = (matches: (task: Summary) => boolean): string[] => all.filter(matches).map(({ id }) => id).sort();

  /** The least, the greatest, the one that most tasks have, and one between. */
  function someOf(field: Time): readonly number[] {
    const times = all.map((task) => timeOf(task, field)).filter((time) => !Number.isNaN(time)).sort((a, b) => a - b);
    const often = times.toSorted((a, b) => times.filter((time) => time === b).length - times.filter((time) => time === a).length)[0] ?? 0;
    return [...new Set([times[0] ?? 0, often, times[Math.floor(times.length / 2)] ?? 0, times.at(-1) ?? 0])];
  }

  for (const field of TIMES) {
    it(`finds by ${field} the tasks that show such a time, with both ends, in lists and counts`, async () => {
      const times = someOf(field);
      const text = (time: number): string => new Date(time).toISOString();
      const least = times[0] ?? 0;
      for (const time of times) {
        const asked: [string, (at: number) => boolean][] = [
          [`${field}:${text(time)}`, (at) => at === time],
          [`${field}:>${text(time)}`, (at) => at > time],
          [`${field}:>=${text(time)}`, (at) => at >= time],
          [`${field}:<${text(time)}`, (at) => at < time],
          [`${field}:<=${text(time)}`, (at) => at <= time],
          [`${field}:${text(least)}..${text(time)}`, (at) => at >= least && at <= time],
          [`${field}:${text(time)}..${text(time)}`, (at) => at === time],
          [`${field}:<${text(time)},>${text(time)}`, (at) => at < time || at > time],
          [`${field}:>${text(time - 1)} ${field}:<${text(time + 1)}`, (at) => at === time],
          [`-${field}:>${text(time)}`, (at) => !(at > time)],
          [`-${field}:${text(time)}`, (at) => at !== time],
          [`${field}:* -${field}:<=${text(time)}`, (at) => at > time],
          [`state:waiting ${field}:>=${text(time)}`, (at) => at >= time],
          [`state:parked,cancelled ${field}:<=${text(time)}`, (at) => at <= time],
        ];
        for (const [nth, [q, matches]] of asked.entries()) {
          const isAsked = ({ state }: Summary): boolean => !q.startsWith('state:') || (q.startsWith('state:waiting') ? ['scheduled', 'retrying', 'dead_lettering'].includes(state) : ['parked', 'cancelled'].includes(state));
          const expected = where((task) => isAsked(task) && matches(timeOf(task, field)));
          const pages = await taskPages(service.baseUrl, { q, order: nth % 2 === 0 ? 'newest' : 'oldest', limit: ['7', '13', '1000'][nth % 3] ?? '' });
          expect(pages.flatMap(({ tasks }) => tasks.map(({ id }) => id)).sort(), q).to.deep.equal(expected);
          expect(pages.at(-1)?.is_complete, q).to.equal(true);
          expect((await call(service.baseUrl, `/counts?${new URLSearchParams({ q }).toString()}`)).body, q).to.include({ count: expected.length, is_exact: true });
        }
      }
      expect(await walked({ q: `-${field}:*` })).to.deep.equal(where((task) => task[field] === null));
    });
  }

  async function walked(query: Readonly<Record<string, string>>): Promise<string[]> {
    return (await taskPages(service.baseUrl, query)).flatMap(({ tasks }) => tasks.map(({ id }) => id)).sort();
  }

  for (const [state, field] of [['scheduled', 'next_attempt_at'], ['parked', 'finished_at'], ['cancelled', 'finished_at']] as const) {
    it(`leaves ${state} tasks in the order of ${field}, whatever a page holds, and the one order is the other reversed`, async () => {
      const expected = where((task) => task.state === state);
      let before: readonly string[] | undefined;
      for (const [order, limit] of [['oldest', '1'], ['oldest', '5'], ['newest', '3'], ['newest', '1000']] as const) {
        // Those that are due come in the order of the queue, and one was sent now before its time.
        const q = state === 'scheduled' ? 'state:scheduled next_attempt_at:>+30m -id:later-15' : `state:${state}`;
        const tasks = (await taskPages(service.baseUrl, { q, order, limit })).flatMap((page) => page.tasks);
        const times = tasks.map((task) => timeOf(task, field));
        const ids = tasks.map(({ id }) => id);
        expect(times, `${order} ${limit}`).to.deep.equal(times.toSorted((a, b) => (order === 'oldest' ? a - b : b - a)));
        const forward = order === 'oldest' ? ids : ids.toReversed();
        before ??= forward;
        expect(forward, `${order} ${limit}`).to.deep.equal(before);
        expect(ids).to.have.lengthOf(state === 'scheduled' ? 15 : expected.length);
      }
    });
  }

  it('refuses a cursor of another order, of another filter, or of another time', async () => {
    const q = 'next_attempt_at:>+30m';
    const [{ next_cursor: cursor } = { next_cursor: null }] = await taskPages(service.baseUrl, { q, limit: '5' });
    for (const query of [{ q, order: 'oldest' }, { q: 'next_attempt_at:>+31m' }, { q: 'updated_at:>+30m' }, { q: `${q} state:waiting` }]) {
      const { status, body } = await call(service.baseUrl, `/tasks?${new URLSearchParams({ ...query, limit: '5', cursor: cursor ?? '' }).toString()}`);
      expect([status, body['code']], JSON.stringify(query)).to.deep.equal([400, 'invalid_cursor']);
    }
  });
});
