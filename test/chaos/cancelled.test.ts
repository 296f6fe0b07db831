import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';
import { cancel, getTask, waitForState, type WireTask } from '../support/tasks.js';
import { profile } from './profile.js';
import { scenario } from './scenario.js';

/** The answer that ended the asking. */
interface Verdict {
  readonly status: number;
  readonly code: unknown;
  /** When it was here: milliseconds since the epoch, by the clock of the receiver. */
  readonly at: number;
}

describe('chaos: tasks that are cancelled', () => {
  scenario('15', `cancelled under load while a worker is killed with kill -9 ${profile.workerKills} times`, async (scene) => {
    // Few slots and a slow receiver: tasks wait in every place there is, and those of a dead worker wait among them.
    const { ledger, service, crew, receiver, redis, keys } = await scene.stage({ workers: 2, settings: { WORKER_CONCURRENCY: '4' } });
    ledger.on('/hook', { kind: 'answer', delayMs: 100 });
    const verdicts = new Map<string, Verdict>();
    const asking: Promise<void>[] = [];

    /** Asks until the task is cancelled or has ended: while a worker has it, living or dead, the answer is "not now". */
    async function cancelAtLast(id: string, { whenReceived }: { readonly whenReceived: boolean }): Promise<void> {
      if (whenReceived) await eventually(() => { expect(receiver.requestsFor(id)).to.not.have.lengthOf(0); }, { withinMs: 60_000, everyMs: 20 });
      const verdict = await eventually(async () => {
        const { status, body } = await cancel(service.baseUrl, id);
        // Not stored yet, or not now.
        expect(['task_not_found', 'being_sent']).to.not.include(body['code']);
        return { status, code: body['code'], at: performance.timeOrigin + performance.now() };
      }, { withinMs: 60_000, everyMs: 10 });
      verdicts.set(id, verdict);
    }

    let made = 0;
    // No retries: an attempt charged for a crash would end the task as a dead letter.
    const make = (): WireTask => {
      made += 1;
      const task = ledger.task({ max_retries: 0, initial_delay: made % 3 === 0 ? 0.5 : 0 });
      if (made % 2 === 0) asking.push(cancelAtLast(task.id, { whenReceived: made % 4 === 0 }));
      return task;
    };
    const stopLoad = ledger.startLoad(100, make);
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
    await Promise.all(asking);
    const measured = await ledger.settle();
    // Behind all others: what was still to be sent has been sent when this one is.
    const last = ledger.task();
    await ledger.submit(last);
    await waitForState(service.baseUrl, last.id, 'delivered');

    const cancelled = [...verdicts].filter(([, { status }]) => status === 200).map(([id]) => id);
    expect(measured).to.include({ cancelled: cancelled.length, delivered: measured.acked - cancelled.length, refused: 0 });
    expect(cancelled.length).to.be.above(0);
    let sentBefore = 0;
    for (const [id, { status, code, at }] of verdicts) {
      const { state } = await getTask(service.baseUrl, id);
      expect([status, code, state], id).to.deep.equal(status === 200 ? [200, undefined, 'cancelled'] : [409, 'finished', 'delivered']);
      if (status !== 200) continue;
      const requests = receiver.requestsFor(id);
      expect(requests.filter(({ arrivedAt }) => arrivedAt > at), `${id} was sent after DELETE had answered 200`).to.deep.equal([]);
      if (requests.length === 0) continue;
      // Before that it may have been sent, but only by a worker that died with it.
      expect(Number(await redis.hget(keys.job(id), jobField.stalls)), `${id} was received, though no worker has died with it`).to.be.at.least(1);
      sentBefore += 1;
    }
    return { ...measured, note: `${sentBefore} of the cancelled ones had been sent by a worker that was killed, none was sent later` };
  });
});
