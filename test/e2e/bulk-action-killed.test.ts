import { expect } from 'chai';

import { parkTasks, readBulkAction, startBulkAction, waitUntilSettled } from '../support/bulk-actions.js';
import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';

describe('e2e: a bulk action whose workers are killed', () => {
  let receiver: Receiver;
  let service: Service;

  beforeEach(async () => {
    receiver = await createReceiver();
    service = await Service.start({ workers: 0, settings: { LOCK_DURATION: '2s', STALL_CHECK_INTERVAL: '500ms' } });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  it('goes on in another worker: each task is started once, and none is forgotten', async () => {
    receiver.on('/hook', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-run'] === '1' ? 400 : 200 }));
    let worker = await service.startWorker();
    const ids = await parkTasks(service.baseUrl, receiver.url('/hook'), 200);
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, rate: 100 });
    for (const share of [20, 80, 140]) {
      await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).started).to.be.at.least(share); }, { withinMs: 30_000 });
      const next = await service.startWorker();
      await worker.kill();
      worker = next;
    }
    const shown = await waitUntilSettled(service.baseUrl, id);
    expect(shown).to.deep.include({ state: 'done', matched: 200, started: 200, delivered: 200, failed_again: 0 });
    for (const task of ids) {
      const runs = new Set(receiver.requestsFor(task).map(({ headers }) => headers['x-retry-run']));
      expect([...runs], task).to.deep.equal(['1', '2']);
    }
  }).timeout(120_000);
});
