import { expect } from 'chai';
import { Redis } from 'ioredis';

import { jobField } from '../../shared/queue/engine/job-fields.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { printAddress, testRedisAddress } from '../support/redis.js';
import { InProcessService } from '../support/service-in-process.js';
import { Service, ServiceProcess } from '../support/service.js';
import { shardKeys } from '../support/shard-keys.js';
import { getTask, httpTask, submitNew, uniqueId, waitForState, type WireTask } from '../support/tasks.js';

/** Short times: a stall is found after a second or two. On a busy machine a worker may lose such a lock without a fault, too. */
const QUICK = { LOCK_DURATION: '1s', STALL_CHECK_INTERVAL: '300ms', SHUTDOWN_TIMEOUT: '10s', FLOW_CIRCUIT: 'off' };
const preload = (name: string): string => `--import=${new URL(`./preload/${name}`, import.meta.url).href}`;
const throwOnSignal = `--import=${new URL('../chaos/preload/throw-on-signal.mjs', import.meta.url).href}`;

describe('e2e: a worker that ends by a fault', () => {
  let receiver: Receiver;
  let service: Service;
  let redis: Redis;
  let isOver: boolean;

  beforeEach(async () => {
    isOver = false;
    receiver = await createReceiver();
    receiver.on('/hang', () => (isOver ? { kind: 'answer' } : { kind: 'hang' }));
    service = await Service.start({ workers: 0, settings: QUICK });
    redis = new Redis(testRedisAddress());
  });
  afterEach(async () => {
    redis.disconnect();
    await service.close();
    await receiver.close();
  });

  /** max_retries is 0: an attempt that is charged for the fault would end the task. */
  function task(path: string): WireTask {
    return httpTask(receiver.url(path), { id: uniqueId(path.slice(1)), max_retries: 0 });
  }

  async function submitAll(tasks: readonly WireTask[]): Promise<void> {
    await Promise.all(tasks.map((each) => submitNew(service.baseUrl, each)));
  }

  /** How often a worker died with the task. */
  async function stallsOf({ id }: WireTask): Promise<number> {
    return Number(await redis.hget(shardKeys(service.prefix).job(id), jobField.stalls));
  }

  async function isDeliveredByAnother(tasks: readonly WireTask[]): Promise<void> {
    isOver = true;
    // It keeps what it takes: a lock that it lost would be a second stall, which is none of the first worker's.
    await service.startWorker({ LOCK_DURATION: '30s' });
    for (const { id } of tasks) {
      const { timeline } = await waitForState(service.baseUrl, id, 'delivered', { withinMs: 20_000 });
      expect(timeline.map(({ attempt, outcome }) => [attempt, outcome]), 'no attempt is used').to.deep.equal([[0, 'delivered']]);
    }
  }

  async function endsWith(worker: ServiceProcess, withinMs: number): Promise<void> {
    const startedAt = performance.now();
    expect(await worker.ended(), worker.output).to.equal(1);
    expect(performance.now() - startedAt).to.be.below(withinMs);
  }

  const faults = {
    exception: /uncaught error: stopping .*thrown by a test/,
    rejection: /uncaught error: stopping .*thrown by a test/,
    unprintable: /uncaught error: stopping .*cannot be printed/,
    undefined: /uncaught error: stopping error="undefined \(no Error was thrown\)"/,
    null: /uncaught error: stopping error="null \(no Error was thrown\)"/,
    text: /uncaught error: stopping error="thrown by a test \(no Error was thrown\)"/,
    nothing: /uncaught error: stopping error="undefined \(no Error was thrown\)"/,
  } as const;

  for (const fault of ['exception', 'rejection'] as const) {
    it(`leaves the task that caused it in hand, as a kill does, and its neighbours are delivered (${fault})`, async () => {
      const [poison, ...neighbours] = [task('/hang'), ...Array.from({ length: 10 }, () => task('/hang')), ...Array.from({ length: 10 }, () => task('/quick'))];
      receiver.on('/quick', { kind: 'answer', delayMs: 300 });
      await submitAll([...neighbours, poison]);
      const worker = await service.startWorker({ NODE_OPTIONS: preload('fail-at-task.mjs'), FAULT: fault, FAULT_AT: poison.id });
      await endsWith(worker, 10_000);
      expect(worker.output).to.match(faults[fault]);
      await isDeliveredByAnother([poison, ...neighbours]);
      expect(await stallsOf(poison), 'the killer counts as stalled').to.equal(1);
      expect(receiver.requestsFor(poison.id)).to.have.lengthOf(2);
    });
  }

  it('says what was thrown, also where it is no error or cannot be printed, and leaves the task in hand', async () => {
    const odd = ['unprintable', 'undefined', 'null', 'text', 'nothing'] as const;
    // An API in this process starts sooner than one more process for each of them.
    const apis = await Promise.all(odd.map(() => InProcessService.ready()));
    try {
      await Promise.all(apis.map(async ({ baseUrl, prefix }, nth) => {
        const fault = odd[nth] ?? 'nothing';
        const poison = task('/hang');
        await submitNew(baseUrl, poison);
        const worker = new ServiceProcess('workers/main.js', { ...QUICK, REDIS_ADDR: printAddress(testRedisAddress()), QUEUE_PREFIX: prefix, NODE_OPTIONS: preload('fail-at-task.mjs'), FAULT: fault, FAULT_AT: poison.id });
        expect(await worker.ended(), worker.output).to.equal(1);
        expect(worker.output).to.match(faults[fault]);
        expect(await getTask(baseUrl, poison.id)).to.include({ state: 'delivering', attempt: 0 });
      }));
    } finally {
      await Promise.all(apis.map((each) => each.close()));
    }
  });

  it('records what receivers accept within the moment that is left', async () => {
    const tasks = Array.from({ length: 20 }, () => task('/quick'));
    receiver.on('/quick', { kind: 'answer', delayMs: 500 });
    const worker = await service.startWorker({ NODE_OPTIONS: throwOnSignal });
    await submitAll(tasks);
    await receiver.waitForRequests(20);
    process.kill(worker.pid, 'SIGUSR2');
    await endsWith(worker, 10_000);
    await isDeliveredByAnother(tasks);
    expect(receiver.requests, 'none was sent twice').to.have.lengthOf(20);
  });

  it('gives nothing back when the fault comes in the middle of an orderly stop', async () => {
    const tasks = Array.from({ length: 10 }, () => task('/hang'));
    const worker = await service.startWorker({ NODE_OPTIONS: throwOnSignal });
    await submitAll(tasks);
    await receiver.waitForRequests(10);
    process.kill(worker.pid, 'SIGTERM');
    await worker.hasWritten(/stopping, 10 sends in flight, up to 10 s why=SIGTERM/);
    process.kill(worker.pid, 'SIGUSR2');
    // The orderly stop would have let them go on for 8 s, and have given them back then.
    await endsWith(worker, 5_000);
    await isDeliveredByAnother(tasks);
    for (const each of tasks) expect(await stallsOf(each)).to.equal(1);
  });

  it('ends at once, and gives nothing back, when it is told to stop after the fault', async () => {
    const tasks = Array.from({ length: 10 }, () => task('/hang'));
    const worker = await service.startWorker({ NODE_OPTIONS: throwOnSignal });
    await submitAll(tasks);
    await receiver.waitForRequests(10);
    process.kill(worker.pid, 'SIGUSR2');
    await worker.hasWritten(/uncaught error: stopping/);
    process.kill(worker.pid, 'SIGTERM');
    await endsWith(worker, 1_500);
    await isDeliveredByAnother(tasks);
    for (const each of tasks) expect(await stallsOf(each)).to.equal(1);
  });
});
