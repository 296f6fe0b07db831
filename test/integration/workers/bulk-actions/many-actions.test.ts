import { expect } from 'chai';

import { parkTasks, startBulkAction, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, submitNew } from '../../../support/tasks.js';

/** More than a worker looks at in one turn. */
const ACTIONS = 105;

describe('many bulk actions that have not come to rest', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = true;
    receiver = await createReceiver();
    for (const path of ['/held', '/other']) receiver.on(path, () => ({ kind: 'answer', status: isDown ? 400 : 200 }));
    service = await InProcessService.ready();
    await service.startWorker();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const tell = async (verb: 'pause' | 'resume'): Promise<void> => {
    expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(receiver.url('/held'))}/${verb}`, { method: 'POST' })).status).to.equal(200);
  };

  /** A pause is set when it is answered, and workers ask for changes five times a second: until then they go on sending. */
  const untilPauseIsKnown = async (): Promise<void> => {
    await eventually(async () => {
      const task = httpTask(receiver.url('/held'));
      await submitNew(service.baseUrl, task);
      const { timeline } = await eventually(async () => {
        const shown = await getTask(service.baseUrl, task.id);
        expect(shown.timeline, 'sent or put back').to.have.lengthOf(1);
        return shown;
      });
      expect(timeline[0]?.kind).to.equal('deferred');
    });
  };

  it('keep no further one from its turn, and each of them comes to rest', async () => {
    const held = await parkTasks(service.baseUrl, receiver.url('/held'), ACTIONS);
    const [other = ''] = await parkTasks(service.baseUrl, receiver.url('/other'), 1);
    isDown = false;
    await tell('pause');
    await untilPauseIsKnown();
    const ids: string[] = [];
    for (const task of held) ids.push(await startBulkAction(service.baseUrl, { action: 'redrive', ids: [task] }));
    const last = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [other] });
    expect(await waitForBulkAction(service.baseUrl, last, 'done', { withinMs: 60_000 })).to.deep.include({ matched: 1, started: 1 });
    await waitUntilSettled(service.baseUrl, last);
    expect(await waitForBulkAction(service.baseUrl, ids[0] ?? '', 'done')).to.deep.include({ started: 1, in_progress: 1 });
    await tell('resume');
    for (const id of ids) expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', delivered: 1 });
  }).timeout(180_000);
});
