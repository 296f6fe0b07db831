import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { Prometheus, quickRules } from '../support/prometheus.js';
import { Service } from '../support/service.js';

const TOKEN = 'scrape-0123456789abcdef';

describe('e2e: a real Prometheus', function () {
  this.timeout(120_000);

  let service: Service;
  let prometheus: Prometheus | undefined;
  before(async () => { service = await Service.start({ workers: 0, settings: { AUTH: 'on', METRICS_TOKEN: TOKEN, WORKER_HTTP_PORT: '0' } }); });
  after(async () => {
    await prometheus?.close();
    await service.close();
  });

  it('reads API and worker, is silent while all is well, and fires when the last worker is killed', async () => {
    const worker = await service.startWorker();
    const [, port = ''] = await worker.hasWritten(/worker is up.*http_port=(\d+)/);
    const running = (prometheus = await Prometheus.start({ targets: [new URL(service.baseUrl).host, `127.0.0.1:${port}`], token: TOKEN, rules: quickRules() }));
    await eventually(async () => {
      expect([...(await running.query('up')).values()]).to.deep.equal([1, 1]);
      expect([...(await running.query('max(kafka_retry_workers)')).values()]).to.deep.equal([1]);
      expect([...(await running.query('sum(kafka_retry_worker_slots)')).values()]).to.deep.equal([1_000]);
      expect(await running.firing()).to.deep.equal([]);
    }, { withinMs: 30_000, everyMs: 200 });

    await worker.kill();
    await eventually(async () => expect(await running.firing()).to.deep.equal(['KafkaRetryNoWorker']), { withinMs: 60_000, everyMs: 200 });

    await service.startWorker();
    await eventually(async () => expect(await running.firing()).to.deep.equal([]), { withinMs: 30_000, everyMs: 200 });
  });
});
