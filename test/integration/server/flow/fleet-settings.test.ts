import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { getTask, submitNew, uniqueId, type WireTask } from '../../../support/tasks.js';

interface Difference {
  readonly name: string;
  readonly values: readonly { readonly value: string | null; readonly workers: number; readonly is_own: boolean }[];
}

describe('an API whose settings differ from those of the workers', () => {
  let service: InProcessService;

  afterEach(async () => {
    await service.close();
  });

  async function get(path: string): Promise<Record<string, unknown>> {
    return (await (await fetch(`${service.baseUrl}${path}`)).json()) as Record<string, unknown>;
  }

  async function differences(): Promise<readonly Difference[]> {
    const { worker_facts: facts } = (await get('/stats')) as { worker_facts: { is_agreed: boolean; differences: Difference[] } };
    expect(facts.is_agreed).to.equal(facts.differences.length === 0);
    return facts.differences;
  }

  const kafkaTask = (changes: Partial<WireTask> = {}): WireTask => ({
    id: uniqueId('facts'),
    source: 'test',
    client_id: 'test',
    destination_type: 'kafka',
    destination: { host: 'B2', port: 9092, topic: 'orders' },
    on_exhausted: 'park',
    max_retries: 1,
    base_delay: 60,
    message_data: '{}',
    ...changes,
  });

  it('uses its own while no worker reports', async () => {
    service = await InProcessService.ready({ kafkaBrokers: 'Broker-1:9092' });
    expect(await differences()).to.deep.equal([]);
    expect((await get(`/destinations/${encodeURIComponent('kafka://BROKER-1:9092/orders')}`))['key']).to.equal('kafka://default/orders');
    expect((await get(`/destinations/${encodeURIComponent('kafka://b2:9092/orders')}`))['key']).to.equal('kafka://b2:9092/orders');
  });

  it('agrees with workers that spell the same brokers in another way', async () => {
    service = await InProcessService.ready({ kafkaBrokers: 'Broker-1:9092,b2:9092' });
    await service.startWorker({ kafkaBrokers: 'B2:9092,broker-1:9092' });
    expect((await get('/stats'))['workers']).to.equal(1);
    expect(await differences()).to.deep.equal([]);
  });

  it('names destinations as the workers do, and says in /stats and once in its log that they differ', async () => {
    service = await InProcessService.ready({ kafkaBrokers: 'Broker-1:9092' });
    const logBefore = service.log.length;
    await service.startWorker({ kafkaBrokers: 'broker-1:9092,b2:9092' });
    await eventually(async () => {
      expect(await differences()).to.deep.equal([
        { name: 'KAFKA_BROKERS', values: [{ value: 'b2:9092,broker-1:9092', workers: 1, is_own: false }, { value: 'broker-1:9092', workers: 0, is_own: true }] },
      ]);
    });
    expect((await get(`/destinations/${encodeURIComponent('kafka://b2:9092/orders')}`))['key']).to.equal('kafka://default/orders');
    // A pause under the workers' name reaches a task that names one of their brokers.
    await fetch(`${service.baseUrl}/destinations/${encodeURIComponent('kafka://b2:9092')}/pause`, { method: 'POST' });
    // Workers take up a pause within a second.
    const task = kafkaTask({ initial_delay: 1.5 });
    await submitNew(service.baseUrl, task);
    await eventually(async () => {
      const { waiting_for: waitingFor } = await getTask(service.baseUrl, task.id);
      expect(waitingFor?.code).to.equal('paused');
      expect(waitingFor?.message).to.include('kafka://default');
    });
    const warnings = service.log.slice(logBefore).split('\n').filter((line) => line.includes('go by different settings'));
    expect(warnings).to.have.lengthOf(1);
    expect(warnings[0]).to.include('KAFKA_BROKERS: b2:9092,broker-1:9092 (1 worker), broker-1:9092 (this API)');
  });

  it('says that a worker lists other hosts of SECRET_PATH_HOSTS', async () => {
    service = await InProcessService.ready({ secretPathHosts: 'hooks.example.com' });
    const logBefore = service.log.length;
    await service.startWorker({ secretPathHosts: 'hooks.example.org' });
    await eventually(async () => {
      expect(await differences()).to.deep.equal([{ name: 'SECRET_PATH_HOSTS', values: [{ value: 'hooks.example.org', workers: 1, is_own: false }, { value: 'hooks.example.com', workers: 0, is_own: true }] }]);
    });
    const warning = service.log.slice(logBefore).split('\n').find((line) => line.includes('go by different settings'));
    expect(warning).to.include('every process hides the paths of all these hosts');
  });

  it('judges circuits by the rules of the workers', async () => {
    service = await InProcessService.ready({ circuit: { isOn: false } });
    const name = 'http://down.invalid';
    const now = Date.now();
    await service.queue.fleet.flowStore().openCircuit(name, { openedAt: now, until: now + 60_000, coolMs: 60_000, reason: 'failures' });
    const state = async (): Promise<unknown> => ((await get(`/destinations/${encodeURIComponent(name)}`)) as { circuit: { state: string } }).circuit.state;
    expect(await state(), 'by its own').to.equal('closed');
    const worker = await service.startWorker();
    await eventually(async () => { expect(await state(), "by the worker's").to.equal('open'); });
    expect(await differences()).to.deep.equal([{ name: 'FLOW_CIRCUIT', values: [{ value: 'on', workers: 1, is_own: false }, { value: 'off', workers: 0, is_own: true }] }]);
    await worker.stop(0);
    await eventually(async () => { expect(await differences()).to.deep.equal([]); }, { withinMs: 15_000 });
    expect(service.log).to.include('go by the same settings again');
  });

  it('says when workers differ among themselves', async () => {
    service = await InProcessService.ready();
    await service.startWorker();
    await service.startWorker({ circuit: { isOn: false } });
    await eventually(async () => {
      expect(await differences()).to.deep.equal([{ name: 'FLOW_CIRCUIT', values: [{ value: 'off', workers: 1, is_own: false }, { value: 'on', workers: 1, is_own: true }] }]);
    });
  });

  it('takes a worker that reports no facts for one of an older version', async () => {
    service = await InProcessService.ready();
    await service.queue.fleet.flowStore().putReport('old', '[]');
    await eventually(async () => {
      const [version] = await differences();
      expect(version?.name).to.equal('VERSION');
      expect(version?.values).to.deep.include({ value: null, workers: 1, is_own: false });
    });
  });
});
