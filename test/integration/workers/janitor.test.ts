import { expect } from 'chai';

import { createLogger } from '../../../shared/logging/logger.js';
import { jobIdOf } from '../../../shared/queue/names.js';
import type { Shard } from '../../../shared/queue/engine/shard.js';
import { Janitor, type Retention } from '../../../workers/janitor.js';
import { eventually } from '../../support/eventually.js';
import { dueAtOfScore } from '../../../shared/queue/engine/due-score.js';
import { jobField } from '../../../shared/queue/engine/job-fields.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { CollectedLog, connect, InProcessService } from '../../support/service-in-process.js';
import { cancel, getTaskAnswer, httpTask, retryNow, submitNew, uniqueId, waitForState, type WireTask } from '../../support/tasks.js';

const DAY = 86_400_000;
const logger = createLogger({ level: 'error', environment: 'dev', role: 'worker' }, new CollectedLog());

describe('janitor', () => {
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
    receiver.on('/down', { kind: 'answer', status: 500 });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const retention: Retention = { deliveredMs: DAY, deliveredMax: 100_000, deadLetterMs: 30 * DAY };

  /** Has a janitor work until the assertion holds. @param laterMs how far in the future its clock is */
  async function clean(laterMs: number, changes: Partial<Retention>, assertion: () => Promise<void>): Promise<void> {
    const redis = connect('worker');
    const janitor = new Janitor({ shards: await service.queue.shards(), redis, retention: { ...retention, ...changes }, clock: () => Date.now() + laterMs, logger, straysAfterMs: 0 });
    janitor.start();
    try {
      await eventually(assertion, { withinMs: 15_000, everyMs: 25 });
    } finally {
      await janitor.stop();
      await redis.del((await keys()).janitorLock); // the next one need not wait until it lapses
      redis.disconnect();
    }
  }

  async function keys(): Promise<Shard['keys']> {
    const [shard] = await service.queue.shards();
    if (shard === undefined) throw new Error('no shard');
    return shard.keys;
  }

  /** Makes some records older or younger than the others: a later clock of the janitor would make all of them older. */
  async function setFinishedAt(set: 'completed' | 'failed', ids: readonly string[], at: number): Promise<void> {
    const key = (await keys())[set];
    for (const id of ids) expect(await service.redis.zadd(key, 'XX', 'CH', at, jobIdOf(id)), `${id} in ${set}`).to.equal(1);
  }

  /** Runs a worker for a while only: it has a janitor of its own, which would remove records and hold the lock. */
  async function withWorker(work: () => Promise<void>): Promise<void> {
    const worker = await service.startWorker({ circuit: { isOn: false } });
    await work();
    await worker.stop(0);
    await service.redis.del((await keys()).janitorLock);
  }

  async function submitAll(tasks: readonly WireTask[], state: 'delivered' | 'dead_lettered' | 'parked'): Promise<string[]> {
    await withWorker(async () => {
      for (const task of tasks) await submitNew(service.baseUrl, task);
      for (const { id } of tasks) await waitForState(service.baseUrl, id, state);
    });
    return tasks.map(({ id }) => id);
  }

  const deliver = (count: number): Promise<string[]> => submitAll(Array.from({ length: count }, () => httpTask(receiver.url('/'), { id: uniqueId('delivered') })), 'delivered');
  const deadLetter = (count: number): Promise<string[]> =>
    submitAll(Array.from({ length: count }, () => httpTask(receiver.url('/down'), { id: uniqueId('dead'), dead_destination: { url: receiver.url('/dead') } })), 'dead_lettered');
  const park = (count: number): Promise<string[]> =>
    submitAll(
      Array.from({ length: count }, () => {
        const { dead_destination: _none, ...task } = httpTask(receiver.url('/down'), { id: uniqueId('parked'), on_exhausted: 'park' });
        return task;
      }),
      'parked',
    );

  async function known(ids: readonly string[]): Promise<string[]> {
    const found = await Promise.all(ids.map(async (id) => ((await getTaskAnswer(service.baseUrl, id)).status === 200 ? [id] : [])));
    return found.flat();
  }

  it('removes delivered tasks by age, and leaves the younger ones', async () => {
    const [old, young] = [await deliver(3), await deliver(2)];
    const waiting = httpTask(receiver.url('/'), { initial_delay: 3_600 });
    await submitNew(service.baseUrl, waiting);
    await setFinishedAt('completed', old, Date.now() - DAY - 1_000);
    await clean(0, {}, async () => { expect(await known(old)).to.deep.equal([]); });
    expect(await known([...young, waiting.id])).to.deep.equal([...young, waiting.id]);
    expect(await service.redis.keys(`${service.prefix}:*t-delivered-*`)).to.have.lengthOf(2);
  });

  it('removes cancelled tasks as it does delivered ones', async () => {
    const cancelled = httpTask(receiver.url('/'), { initial_delay: 3_600 });
    await submitNew(service.baseUrl, cancelled);
    expect((await cancel(service.baseUrl, cancelled.id)).status).to.equal(200);
    // One task that is older, so that the test sees when the janitor has been there.
    const older = await deliver(1);
    await setFinishedAt('completed', older, Date.now() - DAY);
    await clean(DAY - 60_000, {}, async () => { expect(await known([...older, cancelled.id])).to.deep.equal([cancelled.id]); });
    await clean(DAY + 60_000, {}, async () => { expect(await known([cancelled.id])).to.deep.equal([]); });
  });

  it('removes delivered tasks above their number, oldest first', async () => {
    const ids = await deliver(6);
    // They were sent side by side, so they may have ended in another order, or in one millisecond.
    for (const [nth, id] of ids.entries()) await setFinishedAt('completed', [id], Date.now() - 60_000 + nth * 1_000);
    await clean(0, { deliveredMax: 2 }, async () => { expect(await known(ids)).to.deep.equal(ids.slice(4)); });
  });

  it('removes dead letters by age, and never a parked task', async () => {
    const kept = await park(3);
    const dead = await deadLetter(3);
    await clean(30 * DAY + 60_000, {}, async () => { expect(await known(dead)).to.deep.equal([]); });
    expect(await known(kept)).to.deep.equal(kept);
    const [older = '', young = ''] = await deadLetter(2);
    await setFinishedAt('failed', [young], Date.now() + 2 * DAY);
    await clean(31 * DAY, { deliveredMs: 1 }, async () => { expect(await known([older, young])).to.deep.equal([young]); });
  });

  it('keeps parked tasks for good: years later they are redrivable', async () => {
    const [id = ''] = await park(1);
    const [marker = ''] = await deadLetter(1);
    await clean(3_650 * DAY, {}, async () => { expect(await known([marker])).to.deep.equal([]); });
    expect(await service.queue.redrive(id)).to.include({ kind: 'redriven', run: 2 });
  });

  it('is not held up by an id that is in the set of parked ones by mistake', async () => {
    const dead = await deadLetter(2);
    const { parked } = await keys();
    for (const id of [...dead, 'never-heard-of']) await service.redis.zadd(parked, Date.now(), jobIdOf(id));
    await clean(31 * DAY, {}, async () => { expect(await known(dead)).to.deep.equal([]); });
    expect(await service.redis.zrange(parked, '0', '-1')).to.deep.equal([jobIdOf('never-heard-of')]);
  });

  it('gets past more parked tasks than it looks at in one step, and remembers how far it was', async function () {
    this.timeout(60_000);
    const parkedTasks = Array.from({ length: 600 }, () => {
      const { dead_destination: _none, ...task } = httpTask(receiver.url('/down'), { id: uniqueId('parked'), on_exhausted: 'park' });
      return task;
    });
    const { failed, janitorCursor } = await keys();
    await withWorker(async () => {
      await Promise.all(parkedTasks.map((task) => submitNew(service.baseUrl, task)));
      await eventually(async () => { expect(await service.redis.zcard(failed)).to.equal(600); }, { withinMs: 20_000 });
    });
    const dead = await deadLetter(1);
    await clean(31 * DAY, {}, async () => { expect(await known(dead)).to.deep.equal([]); });
    expect(await service.redis.zcard(failed)).to.equal(600);
    const cursor = Number(await service.redis.get(janitorCursor));
    const newest = Number((await service.redis.zrange(failed, '-1', '-1', 'WITHSCORES'))[1]);
    expect(cursor).to.be.at.least(newest);
  });

  it('adds search fields to what an older version stored, then rests, for longer when nothing was missing', async () => {
    const tasks = Array.from({ length: 3 }, () => httpTask(receiver.url('/'), { initial_delay: 3_600 }));
    for (const task of tasks) await submitNew(service.baseUrl, task);
    const stored = await keys();
    const cursor = stored.searchFieldsCursor;
    const fields = (): Promise<(string | null)[]> => Promise.all(tasks.map(({ id }) => service.redis.hget(stored.job(id), jobField.search)));
    const before = await fields();
    for (const { id } of tasks) await service.redis.hdel(stored.job(id), jobField.search);
    await clean(0, {}, async () => { expect(await service.redis.get(cursor)).to.equal('resting'); });
    expect(await fields()).to.deep.equal(before);
    expect(await service.redis.ttl(cursor), 'it found some: soon again').to.be.within(1, 60);
    await service.redis.del(cursor);
    await clean(0, {}, async () => { expect(await service.redis.get(cursor)).to.equal('resting'); });
    expect(await service.redis.ttl(cursor)).to.be.within(3_000, 3_600);
  });

  it('goes on where the last leader stopped looking for search fields', async () => {
    const task = httpTask(receiver.url('/'), { initial_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    const stored = await keys();
    const cursor = stored.searchFieldsCursor;
    await service.redis.hdel(stored.job(task.id), jobField.search);
    // Past the delayed set, with one job found before.
    await service.redis.set(cursor, '1 0 1');
    await clean(0, {}, async () => { expect(await service.redis.get(cursor)).to.equal('resting'); });
    expect(await service.redis.hexists(stored.job(task.id), jobField.search)).to.equal(0);
    expect(await service.redis.ttl(cursor)).to.be.within(1, 60);
  });

  it('goes on at once where a shard has more to do, though other shards are idle', async function () {
    this.timeout(30_000);
    const wide = await InProcessService.ready({ shards: 16 });
    const redis = connect('worker');
    const shards = await wide.queue.shards();
    const [, , , , , busy] = shards;
    if (busy === undefined) throw new Error('no shard');
    for (const shard of shards) await redis.set(shard.keys.searchFieldsCursor, 'resting');
    await redis.del(busy.keys.searchFieldsCursor);
    const janitor = new Janitor({ shards, redis, retention, clock: Date.now, logger });
    janitor.start();
    try {
      // Its turn comes within 8 s. A pass has several steps: with a turn for each it would take a minute.
      await eventually(async () => { expect(await redis.get(busy.keys.searchFieldsCursor)).to.equal('resting'); }, { withinMs: 15_000 });
    } finally {
      await janitor.stop();
      redis.disconnect();
      await wide.close();
    }
  });

  it('is one of the fleet: a second one does nothing while the first is alive', async () => {
    const redis = connect('worker');
    const dead = await deadLetter(1);
    await redis.set((await keys()).janitorLock, 'another worker', 'PX', 60_000);
    const janitor = new Janitor({ shards: await service.queue.shards(), redis, retention, clock: () => Date.now() + 31 * DAY, logger });
    janitor.start();
    await janitor.stop(); // resolves when its first round is over
    expect(await known(dead)).to.deep.equal(dead);
    expect(await redis.get((await keys()).janitorLock)).to.equal('another worker');
    redis.disconnect();
  });

  describe('tasks that stand in no set', () => {
    /** As a script leaves it whose second write was refused. */
    async function losePlace(id: string): Promise<void> {
      const { delayed, prioritized } = await keys();
      expect((await service.redis.zrem(delayed, jobIdOf(id))) + (await service.redis.zrem(prioritized, jobIdOf(id)))).to.equal(1);
    }
    const dueAtOf = async (id: string): Promise<number | undefined> => {
      const score = await service.redis.zscore((await keys()).delayed, jobIdOf(id));
      return score === null ? undefined : dueAtOfScore(score);
    };

    it('are found, and sent at their time', async () => {
      const [now, later] = [uniqueId('now'), uniqueId('later')];
      const submittedAt = Date.now();
      await submitNew(service.baseUrl, httpTask(receiver.url('/'), { id: now }));
      await submitNew(service.baseUrl, httpTask(receiver.url('/'), { id: later, initial_delay: 3_600 }));
      for (const id of [now, later]) await losePlace(id);
      await clean(0, {}, async () => { expect([await dueAtOf(now), await dueAtOf(later)].filter((at) => at !== undefined)).to.have.lengthOf(2); });
      expect(await dueAtOf(later)).to.be.within(submittedAt + 3_600_000, Date.now() + 3_600_000);
      await withWorker(async () => { await waitForState(service.baseUrl, now, 'delivered'); });
      expect(receiver.requestsFor(now)).to.have.lengthOf(1);
    });

    it('go to those that have ended when they have', async () => {
      const [[delivered = ''], [dead = ''], [parked = '']] = [await deliver(1), await deadLetter(1), await park(1)];
      const { completed, failed, parked: parkedSet } = await keys();
      expect(await service.redis.zrem(completed, jobIdOf(delivered))).to.equal(1);
      expect(await service.redis.zrem(failed, jobIdOf(dead), jobIdOf(parked))).to.equal(2);
      expect(await service.redis.zrem(parkedSet, jobIdOf(parked))).to.equal(1);
      await clean(0, {}, async () => {
        for (const [id, state] of [[delivered, 'delivered'], [dead, 'dead_lettered'], [parked, 'parked']] as const) expect((await getTaskAnswer(service.baseUrl, id)).body['state']).to.equal(state);
      });
      for (const id of [delivered, dead, parked]) expect(await dueAtOf(id), id).to.equal(undefined);
      expect(await service.redis.zscore(parkedSet, jobIdOf(parked))).to.equal(await service.redis.zscore(failed, jobIdOf(parked)));
    });

    it('are left when they are held by a worker, or stand in a list', async () => {
      const [held, listed] = [uniqueId('held'), uniqueId('listed')];
      const shardKeys = await keys();
      for (const id of [held, listed]) {
        await submitNew(service.baseUrl, httpTask(receiver.url('/'), { id }));
        await losePlace(id);
      }
      await service.redis.set(`${shardKeys.job(held)}:lock`, 'token');
      await service.redis.lpush(shardKeys.active, jobIdOf(listed));
      // The end of a pass.
      await clean(0, {}, async () => { expect(await service.redis.get(shardKeys.straysCursor)).to.equal('resting'); });
      for (const id of [held, listed]) expect(await dueAtOf(id), id).to.equal(undefined);
      await service.redis.del(`${shardKeys.job(held)}:lock`);
    });

    it('are not looked for in long lists of an older version', async () => {
      const id = uniqueId('behind');
      const { wait, straysCursor } = await keys();
      await submitNew(service.baseUrl, httpTask(receiver.url('/'), { id }));
      await losePlace(id);
      await service.redis.rpush(wait, ...Array.from({ length: 501 }, (_, nth) => `t-old-${nth}`));
      await clean(0, {}, async () => { expect(await service.redis.get(straysCursor)).to.equal('resting'); });
      expect(await dueAtOf(id)).to.equal(undefined);
      await service.redis.del(wait, straysCursor);
      await clean(0, {}, async () => { expect(await dueAtOf(id)).to.be.a('number'); });
    });

    it('are put back at once by a retry', async () => {
      const id = uniqueId('retried');
      await submitNew(service.baseUrl, httpTask(receiver.url('/'), { id, initial_delay: 3_600 }));
      await losePlace(id);
      expect((await retryNow(service.baseUrl, id)).status).to.equal(200);
      expect(await dueAtOf(id)).to.be.at.most(Date.now());
    });
  });
});
