import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { getTask, waitForState } from '../support/tasks.js';
import { profile } from './profile.js';
import { scenario } from './scenario.js';

describe('chaos: workers that are killed', () => {
  scenario('1a', `kill -9 a worker ${profile.workerKills} times under load with slow receivers`, async (scene) => {
    const { ledger, crew, receiver } = await scene.stage({ workers: 2 });
    ledger.on('/hook', { kind: 'answer', delayMs: 300 });
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
    expect(measured).to.include({ delivered: measured.acked, refused: 0 });
    return measured;
  });

  scenario('1b', 'a task that kills its worker every time', async (scene) => {
    const { ledger, service, crew, receiver, killHolder } = await scene.stage({ workers: 2 });
    ledger.on('/hook', { kind: 'answer', delayMs: 200 });
    ledger.on('/poison', ({ taskId }) => {
      void killHolder(taskId);
      return { kind: 'hang' };
    });
    const poison = ledger.task({ destination: { url: receiver.url('/poison') }, max_retries: 5 });
    await ledger.submitAll([poison]);
    const stopLoad = ledger.startLoad(10, () => ledger.task({ max_retries: 0 }));
    const dead = await waitForState(service.baseUrl, poison.id, 'dead_lettered', { withinMs: 55_000, everyMs: 100 });
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
    return { ...measured, note: `${crew.restarts} workers died; no other task was charged` };
  });

  scenario('6a', 'a worker killed between the last failure and the dead delivery', async (scene) => {
    const { ledger, receiver, killHolder } = await scene.stage({ workers: 2 });
    ledger.on('/hook', { kind: 'answer', status: 500 });
    const killed = new Set<string>();
    ledger.on('/dead', ({ taskId }) => {
      if (killed.has(taskId)) return { kind: 'answer' };
      killed.add(taskId);
      void killHolder(taskId);
      return { kind: 'hang' };
    });
    for (let nth = 0; nth < profile.exactKills; nth += 1) {
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
    const { ledger, killHolder } = await scene.stage({ workers: 2 });
    const killed = new Set<string>();
    ledger.on('/hook', ({ taskId }) => {
      if (!killed.has(taskId)) {
        killed.add(taskId);
        void killHolder(taskId);
      }
      return { kind: 'answer' };
    });
    for (let nth = 0; nth < profile.exactKills; nth += 1) {
      const task = ledger.task({ max_retries: 0 });
      await ledger.submitAll([task]);
      await eventually(() => expect(killed.has(task.id)).to.equal(true), { withinMs: 10_000 });
    }
    ledger.faultIsOver();
    const measured = await ledger.settle();
    expect(measured.delivered).to.equal(profile.exactKills);
    expect(ledger.requestsWithAttempts()).to.have.lengthOf(0);
    return measured;
  });
});
