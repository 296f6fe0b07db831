import { expect } from 'chai';

import { flowNamed } from '../../../../shared/domain/destinations/flow.js';
import { Metrics } from '../../../../shared/telemetry/metrics.js';
import { FlowStats } from '../../../../workers/flow-control/flow-stats.js';
import { WorkerMetrics } from '../../../../workers/telemetry/worker-metrics.js';
import { createReceiver } from '../../../support/receiver.js';
import { Scrape } from '../../../support/scrape.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, submitNew, waitForState } from '../../../support/tasks.js';

const MILLION = 1_000_000;

describe('a million destinations', function () {
  this.timeout(120_000);

  it('leave the number of series alone', async () => {
    const metrics = new Metrics('worker');
    const stats = new FlowStats(() => performance.now());
    new WorkerMetrics(metrics).show({ slots: () => 1, slotsInUse: () => 1, inFlight: () => stats.inFlightByHost() });
    const before = new Scrape(await metrics.text()).series.size;
    for (let nth = 0; nth < MILLION; nth += 1) {
      const flow = flowNamed(`https://host-${nth}.example.com/hook`, `https://host-${nth}.example.com`);
      const row = stats.started(flow);
      // One in ten thousand never ends.
      if (nth % 10_000 !== 0) stats.ended(row, 'delivered', 1);
    }
    const seen = new Scrape(await metrics.text());
    expect(seen.series.size).to.equal(before + 50);
    expect(seen.sum('kafka_retry_destination_in_flight'), 'all of them are counted').to.equal(MILLION / 10_000);
    expect(seen.value('kafka_retry_destination_in_flight', { destination: 'other' })).to.equal(MILLION / 10_000 - 50);
  });

  it('are not named once nothing is sent to them: here with real sends', async () => {
    const service = await InProcessService.ready();
    const receivers = await Promise.all([createReceiver(), createReceiver(), createReceiver()]);
    try {
      const metrics = new Metrics('worker');
      await service.startWorker({ metrics });
      const names = async (): Promise<string[]> => [...new Scrape(await metrics.text()).series.keys()];
      const before = await names();
      const tasks = receivers.flatMap((receiver) => [1, 2, 3].map((nth) => httpTask(receiver.url(`/path-${nth}?token=${nth}`), { flow_key: `key-${nth}` })));
      for (const task of tasks) await submitNew(service.baseUrl, task);
      for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
      expect(await names()).to.deep.equal(before);
      expect(new Scrape(await metrics.text()).counted('kafka_retry_tasks_processed_total')).to.deep.equal({ 'delivery delivered': 9 });
    } finally {
      await service.close();
      await Promise.all(receivers.map((receiver) => receiver.close()));
    }
  });
});
