import { expect } from 'chai';

import { askUntilRefused, startBulkAction, waitForBulkAction } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call } from '../../../support/tasks.js';

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
        ['bulk_action.create', 'anonymous', 'Anna', 'done', null, 'the receiver is back', 1],
      ]);
    });
  }).timeout(30_000);
});
