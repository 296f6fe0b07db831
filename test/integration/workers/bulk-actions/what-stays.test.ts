import { expect } from 'chai';

import { parkTasks, startBulkAction, submitAll, waitUntilSettled } from '../../../support/bulk-actions.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { shardKeys } from '../../../support/shard-keys.js';
import { call, httpTask, retryNow, uniqueId, waitForState, type WireTask } from '../../../support/tasks.js';

const HOUR_S = 3_600;
/** It tells one run from another. */
const RUN_HEADER = 'x-retry-run';

describe('what a bulk action leaves as it was', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = true;
    receiver = await createReceiver();
    receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 400 : 200 }));
    service = await InProcessService.ready();
    await service.startWorker();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const task = (changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url('/hook?a=%2B%20b'), {
    is_priority: true,
    flow_key: 'tenant \u{1f69a}',
    message_data: '{"n":23958446825181076828,"f":1.10,"t":"\\ud83d\\ude00 \u00fc"}',
    ...changes,
  });

  /** Body, path and headers of the last send of a task, without what names the task or the send. */
  function lastSend(id: string): unknown {
    const request = receiver.requestsFor(id).at(-1) ?? expect.fail(`${id} was not sent`);
    const headers = Object.entries(request.headers).filter(([name]) => name !== RUN_HEADER).map(([name, value]) => [name, value.replaceAll(id, '<id>')] as const);
    return { path: request.path, body: request.body.toString('hex'), headers: new Map(headers) };
  }

  it('sends a redriven task with the bytes and headers that a single call sends', async () => {
    const tasks = [task({ on_exhausted: 'park' }), task({ on_exhausted: 'park' })];
    await submitAll(service.baseUrl, tasks);
    const [single = '', bulk = ''] = tasks.map(({ id }) => id);
    for (const id of [single, bulk]) await waitForState(service.baseUrl, id, 'parked');
    const first = lastSend(single);
    isDown = false;
    expect((await retryNow(service.baseUrl, single)).status).to.equal(202);
    await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', ids: [bulk] }));
    await waitForState(service.baseUrl, single, 'delivered');
    expect(lastSend(bulk)).to.deep.equal(lastSend(single));
    expect(lastSend(bulk), 'and as it was sent at first').to.deep.equal(first);
  }).timeout(30_000);

  it('sends a waiting task with the bytes and headers that a single call sends', async () => {
    isDown = false;
    const tasks = [task({ initial_delay: HOUR_S }), task({ initial_delay: HOUR_S })];
    await submitAll(service.baseUrl, tasks);
    const [single = '', bulk = ''] = tasks.map(({ id }) => id);
    expect((await retryNow(service.baseUrl, single)).status).to.equal(202);
    await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'send_now', ids: [bulk] }));
    for (const id of [single, bulk]) await waitForState(service.baseUrl, id, 'delivered');
    expect(lastSend(bulk)).to.deep.equal(lastSend(single));
  }).timeout(30_000);

  it('shows of a redriven task the run that is under way, and no error of the one before', async () => {
    const [id = ''] = await parkTasks(service.baseUrl, receiver.url('/hook'), 1);
    const found = async (query: string): Promise<unknown[]> => ((await call(service.baseUrl, `/tasks?${query}`)).body['tasks'] as Record<string, unknown>[]).map((each) => [each['id'], each['run'], each['error_code'], each['http_status'], each['dead_reason']]);
    expect(await found(`id="${id}"`)).to.deep.equal([[id, 1, 'http_client_error', 400, 'retries_exhausted']]);
    const paused = `/destinations/${encodeURIComponent(receiver.url('/hook'))}`;
    expect((await call(service.baseUrl, `${paused}/pause`, { method: 'POST' })).status).to.equal(200);
    const action = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [id] });
    await waitForState(service.baseUrl, id, 'scheduled');
    expect(await found(`id="${id}"`)).to.deep.equal([[id, 2, null, null, null]]);
    expect(await found('error_code=http_client_error')).to.deep.equal([]);
    isDown = false;
    expect((await call(service.baseUrl, `${paused}/resume`, { method: 'POST' })).status).to.equal(200);
    await waitUntilSettled(service.baseUrl, action);
    expect(await found('state=delivered')).to.deep.equal([[id, 2, null, null, null]]);
  }).timeout(30_000);

  it('counts tasks whose records are damaged, and goes through all the others', async () => {
    const ids = await parkTasks(service.baseUrl, receiver.url('/hook'), 12);
    const keys = shardKeys(service.prefix);
    const [gone, other, whole] = [ids.slice(0, 3), ids.slice(3, 5), ids.slice(5)];
    for (const id of [...gone, ...other]) await service.redis.del(keys.job(id));
    for (const id of other) await service.redis.set(keys.job(id), 'no job');
    isDown = false;
    const filtered = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { id: uniqueId('ba'), action: 'redrive', filter: { state: 'parked' } }));
    expect(filtered).to.deep.include({ state: 'done', matched: whole.length, started: whole.length, delivered: whole.length });
    const named = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', ids }));
    expect(named).to.deep.include({ state: 'done', matched: ids.length, started: 0, skipped: { changed: whole.length, gone: gone.length + other.length, being_sent: 0, over_limit: 0 } });
    for (const id of whole) expect(receiver.requestsFor(id), id).to.have.lengthOf(2);
  }).timeout(30_000);
});
