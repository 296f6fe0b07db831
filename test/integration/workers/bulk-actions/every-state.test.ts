import { expect } from 'chai';

import { taskActions, takes } from '../../../../shared/domain/task/state-actions.js';
import type { TaskState } from '../../../../shared/domain/task/task.js';
import { startBulkAction, waitForBulkAction } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, cancel, getTask, getTaskAnswer, httpTask, retryNow, submitNew, uniqueId, waitForState, type WireTask } from '../../../support/tasks.js';

const HOUR_S = 3_600;

/** A place where a task can be, and the state that it has there. */
interface Place {
  readonly state: TaskState;
  /** A worker holds it, so that no action takes it, whatever its state is called. */
  readonly isHeld?: boolean;
  readonly put: () => Promise<string>;
}

describe('an action on a task', () => {
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    receiver.on('/down', { kind: 'answer', status: 500 });
    receiver.on('/hang', { kind: 'hang' });
    // A second dead delivery is an hour away: such a task waits in its dead phase.
    service = await InProcessService.ready({ shards: 2, dead: { attempts: 2, baseDelayMs: HOUR_S * 1_000, maxDelayMs: HOUR_S * 1_000 } });
    const paused = `/destinations/${encodeURIComponent(receiver.url('/paused'))}/pause`;
    expect((await call(service.baseUrl, paused, { method: 'POST' })).status).to.equal(200);
    // Sends that hang are held until the end of the test.
    await service.startWorker({ deliveryTimeout: '10m', circuit: { isOn: false } });
  });
  after(async () => {
    await receiver.close();
    await service.close();
  });

  async function submitted(state: TaskState, path: string, changes: Partial<WireTask> = {}): Promise<string> {
    const task = httpTask(receiver.url(path), { id: uniqueId(state), max_retries: 1, base_delay: HOUR_S, ...changes });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, state);
    return task.id;
  }

  /** The state is the same while its last send is still under way. */
  async function waiting(state: TaskState, path: string, changes: Partial<WireTask> = {}): Promise<string> {
    const id = await submitted(state, path, changes);
    await eventually(async () => { expect((await getTask(service.baseUrl, id)).next_attempt_at).to.be.a('string'); });
    return id;
  }

  const places: Readonly<Record<string, Place>> = {
    'scheduled for later': { state: 'scheduled', put: () => waiting('scheduled', '/', { initial_delay: HOUR_S }) },
    'scheduled for later, with priority': { state: 'scheduled', put: () => waiting('scheduled', '/', { initial_delay: HOUR_S, is_priority: true }) },
    'due, and held by a pause': {
      state: 'scheduled',
      put: async () => {
        const id = await waiting('scheduled', '/paused');
        await eventually(async () => { expect((await getTask(service.baseUrl, id)).waiting_for).to.deep.include({ code: 'paused' }); });
        return id;
      },
    },
    'retrying': { state: 'retrying', put: () => waiting('retrying', '/down') },
    'dead_lettering': { state: 'dead_lettering', put: () => waiting('dead_lettering', '/down', { max_retries: 0, dead_destination: { url: receiver.url('/down') } }) },
    'being sent': {
      state: 'delivering',
      isHeld: true,
      put: () => submitted('delivering', '/hang'),
    },
    'being sent to its dead destination': {
      state: 'dead_lettering',
      isHeld: true,
      put: async () => {
        const id = await submitted('dead_lettering', '/down', { max_retries: 0, dead_destination: { url: receiver.url('/hang') } });
        await eventually(() => { expect(receiver.requestsFor(id)).to.have.lengthOf(2); });
        return id;
      },
    },
    'parked': { state: 'parked', put: () => submitted('parked', '/down', { max_retries: 0, on_exhausted: 'park' }) },
    'dead_lettered': { state: 'dead_lettered', put: () => submitted('dead_lettered', '/down', { max_retries: 0, dead_destination: { url: receiver.url('/dead') } }) },
    'delivered': { state: 'delivered', put: () => submitted('delivered', '/') },
    'cancelled': {
      state: 'cancelled',
      put: async () => {
        const id = await waiting('scheduled', '/', { initial_delay: HOUR_S });
        expect((await cancel(service.baseUrl, id)).status).to.equal(200);
        return id;
      },
    },
  };

  for (const action of taskActions) {
    it(`${action} takes it in bulk by its state alone, wherever it is, and leaves the others as they were`, async () => {
      const tasks = await Promise.all(Object.entries(places).map(async ([name, { state, isHeld = false, put }]) => ({ name, isHeld, isTaken: !isHeld && takes(action, state), id: await put() })));
      const taken = tasks.filter(({ isTaken }) => isTaken);
      const held = tasks.filter(({ isHeld }) => isHeld).length;
      const id = await startBulkAction(service.baseUrl, { action, ids: tasks.map((task) => task.id), expected: tasks.length, reason: 'to see what it takes' });
      // What is held is sent later, so not all of them settle.
      const shown = await waitForBulkAction(service.baseUrl, id, 'done');
      expect(shown).to.deep.include({ state: 'done', matched: tasks.length, started: taken.length, skipped: { changed: tasks.length - taken.length - held, gone: 0, being_sent: held, over_limit: 0 } });
      for (const task of tasks) {
        const { status, body } = await getTaskAnswer(service.baseUrl, task.id);
        if (action === 'delete' && task.isTaken) expect(status, task.name).to.equal(404);
        else if (task.isTaken) expect(await changedBy(task.id), task.name).to.equal(id);
        else expect([status, await changedBy(task.id)], `${task.name}: ${JSON.stringify(body)}`).to.deep.equal([200, null]);
      }
    }).timeout(60_000);
  }

  const changedBy = async (id: string): Promise<unknown> => {
    const { body } = await call(service.baseUrl, `/tasks?id="${id}"`);
    return (body['tasks'] as { bulk_action_id: string | null }[])[0]?.bulk_action_id;
  };

  for (const [name, { state, isHeld = false, put }] of Object.entries(places)) {
    it(`is the same by single calls for one that is ${name}`, async () => {
      const mayCancel = !isHeld && (takes('cancel', state) || takes('delete', state));
      const mayRetry = !isHeld && (takes('send_now', state) || takes('redrive', state));
      const [first, second] = await Promise.all([put(), put()]);
      const answers = [await cancel(service.baseUrl, first), await retryNow(service.baseUrl, second)];
      expect(answers.map(({ status }) => status < 300), JSON.stringify(answers.map(({ body }) => body))).to.deep.equal([mayCancel, mayRetry]);
      for (const { status, body } of answers.filter((answer) => answer.status >= 300)) expect([status, body['code'] === 'being_sent'], JSON.stringify(body)).to.deep.equal([409, isHeld]);
    }).timeout(30_000);
  }
});
