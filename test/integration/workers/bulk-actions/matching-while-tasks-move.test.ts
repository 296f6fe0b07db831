import { expect } from 'chai';

import { startBulkAction, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { submitBatch } from '../../../support/task-pages.js';
import { call, httpTask } from '../../../support/tasks.js';

/** Enough for several steps of matching, and for many rounds of deferring. */
const TASKS = 3_000;

describe('the matching of a bulk action by a filter', () => {
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    receiver = await createReceiver();
    service = await InProcessService.ready({ shards: 2 });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  async function submitHeld(): Promise<void> {
    expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(receiver.url('/paused'))}/pause`, { method: 'POST' })).status).to.equal(200);
    for (let from = 0; from < TASKS; from += 500) {
      await submitBatch(service.baseUrl, Array.from({ length: 500 }, (_, nth) => httpTask(receiver.url('/paused'), { client_id: 'moving', is_priority: nth % 3 === 0 })));
    }
  }

  for (const order of ['oldest', 'newest']) {
    it(`finds each due task once, the ${order} first, while a worker begins and defers them all for a pause`, async () => {
      await submitHeld();
      const id = await startBulkAction(service.baseUrl, { action: 'cancel', filter: { client_id: 'moving' }, order, expected: TASKS, reason: 'they are not needed' });
      await service.startWorker({ concurrency: 100 });
      const shown = await waitForBulkAction(service.baseUrl, id, 'done', { withinMs: 60_000 });
      expect(shown).to.deep.include({ matched: TASKS, pending: 0 });
      await waitUntilSettled(service.baseUrl, id);
    }).timeout(120_000);
  }
});
