import { expect } from 'chai';
import type { Redis } from 'ioredis';

import { eventually } from '../support/eventually.js';
import { freezeProcess } from '../support/freeze-process.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';
import { type ShardKeys } from '../support/shard-keys.js';
import { getTask, waitForState } from '../support/tasks.js';
import { profile } from './profile.js';
import { scenario } from './scenario.js';

/** A receiver that is slow, in the short times of these scenarios. */
const SLOW_MS = 300;
/** As DELIVERY_TIMEOUT (30 s), STALL_BASE_DELAY (1 s) and STALL_MAX_DELAY (5 min) stand to each other by default. */
const IN_PROPORTION = { STALL_BASE_DELAY: `${Math.round(SLOW_MS / 30)}ms`, STALL_MAX_DELAY: `${SLOW_MS * 10}ms` };

describe('chaos: workers that are killed', () => {
  scenario('1a', `kill -9 a worker ${profile.workerKills} times under load with slow receivers`, async (scene) => {
    const { ledger, crew, receiver, redis, keys } = await scene.stage({ workers: 2, settings: IN_PROPORTION });
    // Slower than the kills come: the same task dies again and again with its worker.
    ledger.on('/hook', { kind: 'answer', delayMs: SLOW_MS });
    // No retries: an attempt charged for a crash would end the task as a dead letter.
    const stopLoad = ledger.startLoad(40, () => ledger.task({ max_retries: 0 }));
    for (let kill = 0; kill < profile.workerKills; kill += 1) {
      const before = receiver.requests.length;
      await eventually(() => {
        expect(receiver.requests.length).to.be.at.least(before + 15);
        expect(crew.members).to.have.lengthOf(2);
      }, { withinMs: 20_000 });
      await crew.members[kill % 2]?.kill();
    }
    ledger.faultIsOver();
    await stopLoad();
    const measured = await ledger.settle();
    expect(crew.restarts).to.be.at.least(profile.workerKills - 1);
    expect(ledger.requestsWithAttempts(), 'no attempt is used by a crash').to.have.lengthOf(0);
    // A task taken for the killer would be a dead letter.
    expect(measured).to.include({ delivered: measured.acked, dead: 0, refused: 0 });
    return { ...measured, note: `the unluckiest task lost its worker ${await mostStalls(ledger.acked, redis, keys)} times (12 make it poison)` };
  });

  scenario('1b', 'a task that kills its worker every time', async (scene) => {
    const { ledger, service, crew, receiver, killHolder, redis, keys } = await scene.stage({ workers: 2, settings: IN_PROPORTION });
    ledger.on('/hook', { kind: 'answer', delayMs: SLOW_MS });
    ledger.on('/poison', ({ taskId }) => {
      void killHolder(taskId);
      return { kind: 'hang' };
    });
    const poison = ledger.task({ destination: { url: receiver.url('/poison') }, max_retries: 5 });
    await ledger.submitAll([poison]);
    // Dozens of them are in flight beside it whenever it kills its worker.
    const stopLoad = ledger.startLoad(30, () => ledger.task({ max_retries: 0 }));
    // Twelve workers start anew one after the other, which takes 20 s of a machine that does nothing else.
    const dead = await waitForState(service.baseUrl, poison.id, 'dead_lettered', { withinMs: 90_000, everyMs: 100 });
    ledger.faultIsOver();
    await stopLoad();
    const measured = await ledger.settle();
    expect(dead.dead_reason).to.equal('poison');
    expect(receiver.requestsTo('/poison'), 'sent until the 12th stall').to.have.lengthOf(12);
    expect(receiver.requestsTo('/poison').every(({ headers }) => headers['x-retry-attempt'] === '0')).to.equal(true);
    expect(receiver.requestsTo('/dead').map(({ taskId, headers }) => [taskId, headers['x-retry-dead-reason'], headers['x-retry-error']?.startsWith('worker_crashed')])).to.deep.equal([[poison.id, 'poison', true]]);
    expect(ledger.requestsWithAttempts()).to.have.lengthOf(0);
    expect(measured).to.include({ dead: 1, delivered: measured.acked - 1 });
    expect((await getTask(service.baseUrl, poison.id)).timeline.map(({ outcome }) => outcome)).to.include('poison');
    const most = await mostStalls([...ledger.acked].filter((id) => id !== poison.id), redis, keys);
    expect(most, 'parted from the others long before').to.be.at.most(10);
    return { ...measured, note: `${crew.restarts} workers died; no other task was charged, and none lost its worker more than ${most} times` };
  });

  scenario('6a', 'a worker killed between the last failure and the dead delivery', async (scene) => {
    const { ledger, receiver, crew, killHolder } = await scene.stage({ workers: 2 });
    ledger.on('/hook', { kind: 'answer', status: 500 });
    const killed = new Set<string>();
    ledger.on('/dead', ({ taskId }) => {
      if (killed.has(taskId)) return { kind: 'answer' };
      killed.add(taskId);
      void killHolder(taskId);
      return { kind: 'hang' };
    });
    for (let nth = 0; nth < profile.exactKills; nth += 1) {
      await eventually(() => expect(crew.members).to.have.lengthOf(2), { withinMs: 20_000 });
      const task = ledger.task({ max_retries: 1 });
      await ledger.submitAll([task]);
      await eventually(() => expect(killed.has(task.id)).to.equal(true), { withinMs: 10_000 });
    }
    ledger.faultIsOver();
    const measured = await ledger.settle();
    expect(measured.dead).to.equal(profile.exactKills);
    for (const id of ledger.acked) {
      const keys = receiver.requestsFor(id).map(({ key }) => key);
      expect(keys.filter((key) => !key.includes('dead')), 'the delivery was over').to.deep.equal([`${id}|0`, `${id}|1`]);
      expect(new Set(keys.slice(2))).to.deep.equal(new Set([`${id}|dead|2`]));
    }
    return measured;
  });

  scenario('6b', "a worker killed between a receiver's 2xx and its record", async (scene) => {
    const { ledger, holderOf, receiver, crew, service } = await scene.stage({ workers: 2 });
    const killed = new Set<string>();
    /** Stopped, so that the answer waits in its socket, and killed when the answer is there. */
    const stopHolder = async (taskId: string): Promise<void> => {
      const holder = await holderOf(taskId);
      await freezeProcess(holder.pid);
      // A round trip to the receiver, begun when the answer to the worker has been written.
      void Promise.resolve().then(() => fetch(receiver.url('/behind'))).then(() => holder.kill());
    };
    ledger.on('/hook', ({ taskId }) => {
      if (killed.has(taskId)) return { kind: 'answer' };
      killed.add(taskId);
      return { kind: 'answer', after: stopHolder(taskId) };
    });
    for (let nth = 0; nth < profile.exactKills; nth += 1) {
      await eventually(() => expect(crew.members).to.have.lengthOf(2), { withinMs: 20_000 });
      const task = ledger.task({ max_retries: 0 });
      await ledger.submitAll([task]);
      // Sent again before the next one dies: its worker would take this one with it, once more.
      await receiver.waitForRequests(2 * (nth + 1), { path: '/hook', withinMs: 10_000 });
      await waitForState(service.baseUrl, task.id, 'delivered', { withinMs: 10_000 });
    }
    ledger.faultIsOver();
    const measured = await ledger.settle();
    // Each was accepted, but not recorded, and each came again: once, with the same number.
    expect(measured, JSON.stringify(measured)).to.include({ delivered: profile.exactKills, duplicates: profile.exactKills });
    expect(ledger.requestsWithAttempts()).to.have.lengthOf(0);
    return { ...measured, note: 'each of them was sent twice, with the same attempt number' };
  });
});

/** How often workers died with the one of these tasks that had the worst luck. BullMQ counts it and never resets it. */
async function mostStalls(ids: Iterable<string>, redis: Redis, keys: ShardKeys): Promise<number> {
  const counts = await Promise.all([...ids].map((id) => redis.hget(keys.job(id), jobField.stalls)));
  return Math.max(...counts.map(Number));
}
