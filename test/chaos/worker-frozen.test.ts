import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { freezeProcess } from '../support/freeze-process.js';
import type { Script } from '../support/receiver.js';
import { getTask, waitForState } from '../support/tasks.js';
import { scenario } from './scenario.js';

describe('chaos: a worker that is frozen', () => {
  scenario('7a', 'SIGSTOP for longer than the lock, then SIGCONT', async (scene) => {
    const { ledger, service, crew, receiver } = await scene.stage({ workers: 0 });
    // In dev, attempts beyond some in a second get no line of their own.
    const frozen = await crew.hire({ ENVIRONMENT: 'prod' });
    const { answers, release } = heldAnswers();
    ledger.on('/hook', answers);
    await ledger.submitAll(ledger.tasks(20, { max_retries: 0 }));
    await receiver.waitForRequests(20);
    await freezeProcess(frozen.pid);
    release();
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
      expect(frozen.lines.filter((line) => line.includes('"outcome":"delivered"'))).to.have.lengthOf(10);
      expect(frozen.lines.filter((line) => line.includes('"outcome":"dead_letter"'))).to.have.lengthOf(10);
    }, { withinMs: 10_000 });
    // Something behind them, so that whatever the late ones would do has been done.
    await ledger.submitAll(ledger.tasks(20));
    const measured = await ledger.settle();
    const after = await Promise.all(ids.map((id) => getTask(service.baseUrl, id)));
    expect(after.map(({ timeline }) => timeline)).to.deep.equal(before.map(({ timeline }) => timeline));
    expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
    expect(measured.delivered).to.equal(40);
    expect(receiver.requestsTo('/dead'), 'no dead letter of what was delivered').to.have.lengthOf(0);
    return { ...measured, note: '20 late outcomes, half of them failures; none overwrote the first' };
  });

  scenario('7b', 'an event loop that is blocked for longer than the lock', async (scene) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'chaos-blocked-'));
    scene.onClose(() => rm(folder, { recursive: true }));
    const unblockFile = path.join(folder, 'go-on');
    const { ledger, service, crew, receiver } = await scene.stage({ workers: 0 });
    // Whatever happens, it has to be able to end.
    scene.onClose(() => writeFile(unblockFile, ''));
    const blocked = await crew.hire({ ENVIRONMENT: 'prod', NODE_OPTIONS: `--import=${new URL('./preload/block-on-signal.mjs', import.meta.url).href}`, UNBLOCK_FILE: unblockFile });
    const { answers, release } = heldAnswers();
    ledger.on('/hook', answers);
    await ledger.submitAll(ledger.tasks(20, { max_retries: 0 }));
    await receiver.waitForRequests(20);
    process.kill(blocked.pid, 'SIGUSR2');
    await blocked.hasWritten(/event loop stands still/);
    release();
    const other = await crew.hire();
    const ids = [...ledger.acked];
    const before = await Promise.all(ids.map((id) => waitForState(service.baseUrl, id, 'delivered', { withinMs: 15_000 })));
    expect(before.every(({ timeline }) => timeline.at(-1)?.worker?.endsWith(`-${other.pid}`) === true), 'taken over').to.equal(true);
    await writeFile(unblockFile, '');
    await blocked.hasWritten(/lost the lock|worker error.*lock/i);
    await eventually(() => expect(blocked.lines.filter((line) => /"outcome":"(delivered|dead_letter)"/.test(line))).to.have.lengthOf(20), { withinMs: 10_000 });
    ledger.faultIsOver();
    await ledger.submitAll(ledger.tasks(20));
    const measured = await ledger.settle();
    const after = await Promise.all(ids.map((id) => getTask(service.baseUrl, id)));
    expect(after.map(({ timeline }) => timeline)).to.deep.equal(before.map(({ timeline }) => timeline));
    expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
    expect(receiver.requestsTo('/dead'), 'no dead letter of what was delivered').to.have.lengthOf(0);
    expect(measured.delivered).to.equal(40);
    return { ...measured, note: '20 late outcomes, half of them failures; none overwrote the first' };
  });
});

/** Answers that come only when the worker that asked cannot hear them; half of them are failures. Later ones come at once. */
function heldAnswers(): { readonly answers: Script; readonly release: () => void } {
  let release = (): void => undefined;
  let isHeld = true;
  const after = new Promise<void>((resolve) => {
    release = (): void => {
      isHeld = false;
      resolve();
    };
  });
  return { answers: (_request, nth) => (isHeld ? { kind: 'answer', status: nth % 2 === 0 ? 200 : 400, after } : { kind: 'answer' }), release };
}
