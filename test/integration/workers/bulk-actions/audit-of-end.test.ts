import { expect } from 'chai';

import { askUntilRefused, startBulkAction, submitAll, tellBulkAction, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask } from '../../../support/tasks.js';

interface ShownEntry {
  readonly action: string;
  readonly actor: { readonly type: string; readonly operator: string | null };
  readonly outcome: string;
  readonly error_code: string | null;
  readonly reason: string | null;
  readonly count: number | null;
}

describe('the audit of a bulk action', () => {
  let service: InProcessService;

  beforeEach(async () => { service = await InProcessService.ready(); });
  afterEach(() => service.close());

  /** The newest first. */
  async function entriesOf(id: string): Promise<unknown[]> {
    const { body } = await call(service.baseUrl, `/audit?target=${id}`);
    return (body['entries'] as ShownEntry[]).map(({ action, actor, outcome, error_code: code, reason, count }) => [action, actor.type, actor.operator, outcome, code, reason, count]);
  }

  const ask = { action: 'redrive', ids: ['nobody'], expected: 2, reason: 'the receiver is back' };

  it('has the person who asked for one that was refused at once, and that it was', async () => {
    await service.startWorker();
    const { id } = await askUntilRefused(service.baseUrl, ask, { 'x-operator': 'Anna' });
    expect((await entriesOf(id)).at(-1)).to.deep.equal(['bulk_action.create', 'anonymous', 'Anna', 'failed', 'count_differs', 'the receiver is back', 0]);
  }).timeout(30_000);

  it('says of one that is refused later that the service did it, why, and for the reason of the person', async () => {
    // No worker looks for its tasks, so it is answered before their number is known.
    const id = await startBulkAction(service.baseUrl, ask, { 'x-operator': 'Anna' });
    await service.startWorker();
    await waitForBulkAction(service.baseUrl, id, 'refused');
    await eventually(async () => {
      expect(await entriesOf(id)).to.deep.equal([
        ['bulk_action.end', 'service', null, 'failed', 'count_differs', 'the receiver is back', 0],
        ['bulk_action.create', 'anonymous', 'Anna', 'done', null, 'the receiver is back', 0],
      ]);
    });
  }).timeout(30_000);

  it('says of one by a filter how many tasks it is about, as soon as that is known', async () => {
    await submitAll(service.baseUrl, Array.from({ length: 3 }, () => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 })));
    const id = await startBulkAction(service.baseUrl, { action: 'cancel', filter: { state: 'scheduled' }, expected: 3, reason: 'acme has left' }, { 'x-operator': 'Anna' });
    expect(await entriesOf(id)).to.deep.equal([['bulk_action.create', 'anonymous', 'Anna', 'begun', null, 'acme has left', null]]);
    await service.startWorker();
    await waitUntilSettled(service.baseUrl, id);
    expect(await entriesOf(id)).to.deep.equal([
      ['bulk_action.end', 'service', null, 'done', null, 'acme has left', 3],
      ['bulk_action.create', 'anonymous', 'Anna', 'done', null, 'acme has left', 3],
    ]);
  }).timeout(30_000);

  it('counts no id that no task has', async () => {
    const task = httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 });
    await submitAll(service.baseUrl, [task]);
    await service.startWorker();
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', ids: [task.id, 'nobody', 'nor this one'] });
    await waitUntilSettled(service.baseUrl, id);
    expect((await entriesOf(id)).at(-1)).to.deep.equal(['bulk_action.create', 'anonymous', null, 'done', null, null, 1]);
  }).timeout(30_000);

  it('is complete of one that is cancelled before its tasks are known', async () => {
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', filter: { state: 'parked' } });
    expect((await tellBulkAction(service.baseUrl, id, 'cancel')).status).to.equal(200);
    expect(await entriesOf(id)).to.deep.equal([
      ['bulk_action.cancel', 'anonymous', null, 'done', null, null, 1],
      ['bulk_action.create', 'anonymous', null, 'done', null, null, 0],
    ]);
  });
});
