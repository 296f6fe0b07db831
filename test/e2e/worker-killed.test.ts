import { expect } from 'chai';

import { flowKeys } from '../../shared/queue/fleet-keys.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';
import { eventually } from '../support/eventually.js';
import { freezeProcess } from '../support/freeze-process.js';
import { printAddress, testRedisAddress } from '../support/redis.js';
import { createReceiver, type Behaviour, type Receiver } from '../support/receiver.js';
import { connect } from '../support/service-in-process.js';
import { Service, type ServiceProcess } from '../support/service.js';
import { shardKeys } from '../support/shard-keys.js';
import { SlowLink } from '../support/slow-link.js';
import { httpTask, submitNew, waitForState, type WireTask } from '../support/tasks.js';

/** A test that waits for the locks fails by its time limit. */
const SETTINGS = { LOCK_DURATION: '1h', STALL_CHECK_INTERVAL: '200ms' };

describe('e2e: a worker that is killed', () => {
  let receiver: Receiver;
  let service: Service;

  beforeEach(async () => {
    receiver = await createReceiver();
    service = await Service.start({ workers: 0, settings: SETTINGS });
  });
  afterEach(async () => {
    await receiver.close();
    await service.close();
  });

  /** Tasks that are sent, and to which the receiver does not answer before they come again. */
  async function heldBy(worker: Promise<ServiceProcess>, count: number, path: string): Promise<{ worker: ServiceProcess; tasks: readonly WireTask[] }> {
    const held = new Set<string>();
    receiver.on(path, ({ taskId }) => {
      if (held.has(taskId)) return { kind: 'answer' };
      held.add(taskId);
      return { kind: 'hang' };
    });
    const tasks = Array.from({ length: count }, () => httpTask(receiver.url(path)));
    const started = await worker;
    await Promise.all(tasks.map((task) => submitNew(service.baseUrl, task)));
    await receiver.waitForRequests(count, { path });
    return { worker: started, tasks };
  }

  /** A worker that has seen Redis since before the last report of the other one. */
  async function witness(of: ServiceProcess): Promise<ServiceProcess> {
    const started = await service.startWorker();
    // A worker reports once a second, and the first look of the new one takes less.
    await reportsFor(of, 1_500);
    return started;
  }

  /** Waits until the worker has reported for so long. */
  async function reportsFor(of: ServiceProcess, ms: number): Promise<void> {
    const redis = connect('worker');
    const { workers } = flowKeys(service.prefix, false);
    const lastReport = async (): Promise<number> => {
      const names = await redis.zrange(workers, '0', '-1');
      return Number(await redis.zscore(workers, names.find((name) => name.endsWith(`-${String(of.pid)}`)) ?? ''));
    };
    const before = await lastReport();
    await eventually(async () => { expect(await lastReport()).to.be.at.least(before + ms); }, { withinMs: 10_000 });
    redis.disconnect();
  }

  it('has its tasks sent again within 6 s, each once, and each counts as stalled', async () => {
    const { worker, tasks } = await heldBy(service.startWorker(), 20, '/hook');
    const other = await witness(worker);
    await worker.kill();
    const killedAt = Date.now();
    await receiver.waitForRequests(40, { path: '/hook', withinMs: 10_000 });
    expect(Date.now() - killedAt).to.be.at.most(6_000);
    const redis = connect('worker');
    for (const { id } of tasks) {
      const shown = await waitForState(service.baseUrl, id, 'delivered');
      expect(shown.timeline.map(({ outcome, worker: by }) => [outcome, by?.endsWith(`-${other.pid}`)])).to.deep.equal([['delivered', true]]);
      expect(await redis.hget(shardKeys(service.prefix).job(id), jobField.stalls)).to.equal('1');
    }
    redis.disconnect();
    expect(receiver.requests).to.have.lengthOf(40);
    await eventually(() => { expect(service.output, 'of the worker or the API').to.match(/a worker is gone.*tasks=20/); });
  }).timeout(60_000);

  it('alone is found out by the API, whose first look at the connections has failed, and the worker that takes its place sends its tasks again', async () => {
    const link = await SlowLink.to(testRedisAddress());
    await service.server.stop();
    await service.startServer({ REDIS_ADDR: printAddress(link.address) });
    link.cutAt = '\r\nLIST\r\n';
    const started = await service.startWorker();
    await eventually(() => { expect(link.cutAt, 'it has looked').to.equal(undefined); });
    await eventually(async () => { expect((await fetch(`${service.baseUrl}/readyz`)).status).to.equal(200); });
    const { worker, tasks } = await heldBy(Promise.resolve(started), 5, '/alone');
    await reportsFor(worker, 2_500);
    await worker.kill();
    const next = await service.startWorker();
    // Its locks last for an hour, and the new worker has not seen the last report of the old one.
    await receiver.waitForRequests(10, { path: '/alone', withinMs: 20_000 });
    for (const { id } of tasks) {
      const { timeline } = await waitForState(service.baseUrl, id, 'delivered');
      expect(timeline.map(({ outcome, worker: by }) => [outcome, by?.endsWith(`-${next.pid}`)])).to.deep.equal([['delivered', true]]);
    }
    expect(service.output).to.match(/a worker is gone.*tasks=5/);
    expect(next.output).to.not.contain('a worker is gone');
    await service.close();
    await link.close();
  }).timeout(60_000);

  it('with the probe of an open circuit in its hands lets another worker probe as soon as its tasks are taken', async () => {
    let answer: Behaviour = { kind: 'answer', status: 502 };
    receiver.on('/down', () => answer);
    // Nothing lapses by itself while this test runs.
    const settings = { FLOW_CIRCUIT_FAILURES: '5', FLOW_CIRCUIT_COOL_DOWN: '1s', FLOW_CIRCUIT_MAX_COOL_DOWN: '1s', DELIVERY_TIMEOUT: '1h' };
    const worker = await service.startWorker(settings);
    const tasks = Array.from({ length: 8 }, () => httpTask(receiver.url('/down'), { max_retries: 10, base_delay: 0.1 }));
    await Promise.all(tasks.map((task) => submitNew(service.baseUrl, task)));
    await eventually(() => { expect(worker.output).to.include('circuit open'); });
    const before = receiver.requests.length;
    answer = { kind: 'hang' };
    await receiver.waitForRequests(before + 1);
    const started = await service.startWorker(settings);
    await reportsFor(worker, 1_500);
    answer = { kind: 'answer' };
    await worker.kill();
    // By itself it would lapse after an hour.
    await receiver.waitForRequests(before + 2, { withinMs: 20_000 });
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
    expect(started.output).to.include('circuit closed');
  }).timeout(60_000);

  it('is told from one that is stopped: that one keeps its tasks as long as it has their locks', async () => {
    const frozen = await heldBy(service.startWorker({ DELIVERY_TIMEOUT: '1h' }), 5, '/frozen');
    await freezeProcess(frozen.worker.pid);
    // The frozen one takes nothing more, so this one gets all others.
    const killed = await heldBy(service.startWorker(), 5, '/killed');
    await witness(killed.worker);
    await killed.worker.kill();
    await receiver.waitForRequests(10, { path: '/killed', withinMs: 10_000 });
    // The frozen one has been silent for longer.
    expect(receiver.requestsTo('/frozen')).to.have.lengthOf(5);
    await eventually(() => { expect(service.output).to.match(/a worker is gone.*tasks=5/).and.not.match(/tasks=10/); });
    process.kill(frozen.worker.pid, 'SIGCONT');
  }).timeout(60_000);
});
