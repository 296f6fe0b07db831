import { expect } from 'chai';

import { readReport } from '../../../shared/domain/flow/flow-report.js';
import { flowKeys } from '../../../shared/queue/fleet-keys.js';
import { eventually } from '../../support/eventually.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { InProcessService } from '../../support/service-in-process.js';
import { httpTask, submitNew, waitForState } from '../../support/tasks.js';

describe('slots of a worker that shares those of the fleet', () => {
  let service: InProcessService;
  let receivers: Receiver[];

  beforeEach(async () => {
    service = await InProcessService.ready();
    receivers = await Promise.all(Array.from({ length: 10 }, () => createReceiver()));
  });
  afterEach(async () => {
    await service.close();
    await Promise.all(receivers.map((receiver) => receiver.close()));
  });

  const inFlight = (): number => receivers.reduce((sum, receiver) => sum + receiver.inFlight, 0);
  const others = Array.from({ length: 30 }, (_, nth) => `other-${nth}`);

  /** Reports of workers that run elsewhere. They count for 5 s, like those of a worker that has died since. */
  async function othersReport(): Promise<void> {
    await service.redis.zadd(flowKeys(service.prefix, false).workers, ...others.flatMap((name) => [Date.now() + 60_000, name]));
  }

  async function othersAreGone(): Promise<void> {
    await service.redis.zrem(flowKeys(service.prefix, false).workers, ...others);
  }

  it('become fewer when workers join, and more when they die, and the worker reports how many they are', async () => {
    const [first, second] = await Promise.all([service.startWorker({ concurrency: 'auto' }), service.startWorker({ concurrency: 'auto' })]);
    await eventually(() => { expect([first.slots, second.slots]).to.deep.equal([1_000, 1_000]); });
    const third = await service.startWorker({ concurrency: 'auto' });
    await eventually(() => { expect([first, second, third].map(({ slots }) => slots)).to.deep.equal([666, 666, 666]); });
    await eventually(async () => {
      const reports = await service.queue.fleet.flowStore().reports();
      expect(reports.map(({ report }) => readReport(report ?? '[]').slots)).to.deep.equal(Array.from({ length: 3 }, () => ({ total: 666, inUse: 0 })));
    });
    await third.stop();
    await eventually(() => { expect([first.slots, second.slots]).to.deep.equal([1_000, 1_000]); }, { withinMs: 10_000 });
  }).timeout(30_000);

  it('are used up to the share, beyond it as soon as others are gone, and no send ends because others join', async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => { open = resolve; });
    for (const receiver of receivers) receiver.on('/slow', { kind: 'answer', after: opened });
    await othersReport();
    const worker = await service.startWorker({ concurrency: 'auto' });
    await eventually(() => { expect(worker.slots).to.equal(100); });
    const tasks = receivers.flatMap((receiver) => Array.from({ length: 12 }, () => httpTask(receiver.url('/slow'))));
    await Promise.all(tasks.map((task) => submitNew(service.baseUrl, task)));
    // Ten destinations may have ten elevenths of the slots.
    await eventually(() => { expect(inFlight()).to.be.at.least(85); });
    expect(inFlight()).to.be.at.most(100);
    await othersAreGone();
    await eventually(() => { expect(inFlight()).to.equal(120); });
    await othersReport();
    await eventually(() => { expect(worker.slots).to.equal(100); });
    open();
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
    expect(receivers.flatMap(({ requests }) => requests)).to.have.lengthOf(120);
  }).timeout(30_000);

  it('are exactly those that an operator has set, however many workers there are', async () => {
    await othersReport();
    const worker = await service.startWorker({ concurrency: 7 });
    expect(worker.slots).to.equal(7);
  });
});
