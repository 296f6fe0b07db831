import { expect } from 'chai';

import { askBulkAction, parkTasks, readBulkAction, startBulkAction, submitAll, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask } from '../../../support/tasks.js';

const SHARDS = 16;
const HOUR_S = 3_600;

describe(`bulk actions over ${SHARDS} shards`, () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = true;
    receiver = await createReceiver();
    // A 4xx says nothing about the receiver as a whole, so no circuit opens.
    receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 400 : 200 }));
    service = await InProcessService.ready({ shards: SHARDS });
    await service.startWorker();
    await service.startWorker();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const runsOf = (id: string): unknown[] => receiver.requestsFor(id).map(({ headers }) => headers['x-retry-run']);

  it('start what their dry run has counted, each once, and nothing else', async () => {
    const [mine, others] = await Promise.all([parkTasks(service.baseUrl, receiver.url('/hook'), 160, { client_id: 'acme' }), parkTasks(service.baseUrl, receiver.url('/hook'), 40)]);
    isDown = false;
    const filter = { client_id: ['acme'], state: 'parked' };
    const dry = await askBulkAction(service.baseUrl, { action: 'redrive', filter, dry_run: true });
    expect([dry.status, dry.body['matched'], dry.body['is_exact'], dry.body['next_cursor']]).to.deep.equal([200, 160, true, null]);
    const shown = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', filter, expected: 160 }));
    expect(shown).to.deep.include({ state: 'done', matched: 160, started: 160, delivered: 160 });
    for (const id of mine) expect(runsOf(id), id).to.deep.equal(['1', '2']);
    for (const id of others) expect(runsOf(id), id).to.deep.equal(['1']);
  }).timeout(60_000);

  it('start no task twice, though three of them want the same ones at once', async () => {
    const ids = await parkTasks(service.baseUrl, receiver.url('/hook'), 160);
    isDown = false;
    const actions = await Promise.all([
      startBulkAction(service.baseUrl, { action: 'redrive', filter: { state: 'parked' } }),
      startBulkAction(service.baseUrl, { action: 'redrive', filter: { q: 'state:parked,dead_lettered' }, order: 'newest' }),
      startBulkAction(service.baseUrl, { action: 'redrive', ids }),
    ]);
    const shown = await Promise.all(actions.map((id) => waitUntilSettled(service.baseUrl, id)));
    expect(shown.reduce((sum, { started }) => sum + started, 0)).to.equal(160);
    for (const id of ids) expect(runsOf(id), id).to.deep.equal(['1', '2']);
  }).timeout(60_000);

  it('go on at a new rate as soon as it is set', async () => {
    const tasks = Array.from({ length: 600 }, () => httpTask(receiver.url('/hook'), { initial_delay: HOUR_S }));
    isDown = false;
    await submitAll(service.baseUrl, tasks);
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', filter: { state: 'scheduled' }, rate: 10 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).started).to.be.greaterThan(0); });
    const askedAt = Date.now();
    const { status, body } = await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":200}' });
    expect([status, body['state'], body['rate']]).to.deep.equal([200, 'running', 200]);
    const left = body['pending'] as number;
    const { done_at: doneAt, started } = await waitForBulkAction(service.baseUrl, id, 'done', { withinMs: 50_000 });
    const seconds = (Date.parse(doneAt ?? '') - askedAt) / 1_000;
    expect(started).to.equal(600);
    // Half a second may be made up for. A crowded machine may be slower, never much faster; at the old rate it would take a minute.
    expect(seconds).to.be.within(left / 200 - 0.5, 45);
  }).timeout(90_000);
});
