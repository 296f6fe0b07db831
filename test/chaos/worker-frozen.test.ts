import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { freezeProcess } from '../support/freeze-process.js';
import { getTask, waitForState } from '../support/tasks.js';
import { scenario } from './scenario.js';

describe('chaos: a worker that is frozen', () => {
  scenario('7', 'SIGSTOP for longer than the lock, then SIGCONT', async (scene) => {
    const { ledger, service, crew, receiver } = await scene.stage({ workers: 0 });
    const frozen = await crew.hire();
    let isFirst = true;
    ledger.on('/hook', () => (isFirst ? { kind: 'answer', delayMs: 600 } : { kind: 'answer' }));
    await ledger.submitAll(ledger.tasks(20, { max_retries: 0 }));
    await receiver.waitForRequests(20);
    isFirst = false;
    await freezeProcess(frozen.pid);
    const other = await crew.hire();
    const ids = [...ledger.acked];
    for (const id of ids) await waitForState(service.baseUrl, id, 'delivered', { withinMs: 15_000 });
    const before = await Promise.all(ids.map((id) => getTask(service.baseUrl, id)));
    expect(before.every(({ timeline }) => timeline.at(-1)?.worker?.endsWith(`-${other.pid}`) === true), 'taken over').to.equal(true);
    process.kill(frozen.pid, 'SIGCONT');
    ledger.faultIsOver();
    // It still has the answers to all of its sends, and each has to be too late.
    await eventually(() => {
      const told = frozen.lines.filter((line) => /lost the lock|worker error.*lock/i.test(line));
      expect(told, frozen.output).to.not.have.lengthOf(0);
      expect(frozen.lines.filter((line) => line.includes('outcome=delivered'))).to.have.lengthOf(20);
    }, { withinMs: 10_000 });
    // Something behind them, so that whatever the late ones would do has been done.
    await ledger.submitAll(ledger.tasks(20));
    const measured = await ledger.settle();
    const after = await Promise.all(ids.map((id) => getTask(service.baseUrl, id)));
    expect(after.map(({ timeline }) => timeline)).to.deep.equal(before.map(({ timeline }) => timeline));
    expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
    expect(measured.delivered).to.equal(40);
    return { ...measured, note: '20 late outcomes, none of them overwrote the first' };
  });
});
