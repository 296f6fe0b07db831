import { expect } from 'chai';

import type { StandstillTimes } from '../../../shared/queue/engine/shard-standstill.js';
import { eventually } from '../../support/eventually.js';
import { HangingLoop } from '../../support/hanging-loop.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { PrivateRedis } from '../../support/redis.js';
import { connect, InProcessService, type WorkerOptions } from '../../support/service-in-process.js';
import { call, getTask, httpTask, submitNew, waitForState } from '../../support/tasks.js';
import type { Worker } from '../../../workers/create-worker.js';

/** Tens of seconds in production. */
const QUICK: StandstillTimes = { lookMs: 100, callMs: 400, dueMs: 1_000, quietMs: 600, stepMs: 1_500 };
/** A worker without work to do stops within 2 s; the rest is for two busy cores. It is told that it has 10 s. */
const STOPS_WITHIN_MS = 8_000;

describe('a worker whose loop hangs', () => {
  let redis: PrivateRedis;
  let service: InProcessService;
  let receiver: Receiver;
  const loops: HangingLoop[] = [];
  let logStart: number;

  const log = (): string => service.log.slice(logStart);

  beforeEach(async () => {
    redis = await PrivateRedis.start(['--maxmemory-policy', 'noeviction']);
    receiver = await createReceiver();
    service = await InProcessService.ready({ redis: redis.address });
    logStart = service.log.length;
  });
  afterEach(async () => {
    for (const loop of loops.splice(0)) loop.restore();
    await service.close();
    await Promise.all([redis.close(), receiver.close()]);
  });

  function hanging(loop: ConstructorParameters<typeof HangingLoop>[0]): HangingLoop {
    const made = new HangingLoop(loop);
    loops.push(made);
    return made;
  }

  /** A worker that has nothing to do, so its loop waits. */
  async function idleWorker(options: WorkerOptions = {}): Promise<Worker> {
    const worker = await service.startWorker({ standstillTimes: QUICK, ...options });
    const task = httpTask(receiver.url('/first'));
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    return worker;
  }

  async function rebuildsInStats(): Promise<unknown> {
    return (await call(service.baseUrl, '/stats')).body['shard_rebuilds'];
  }

  async function stopsQuickly(worker: Worker): Promise<void> {
    const startedAt = performance.now();
    await worker.stop(10_000);
    expect(performance.now() - startedAt).to.be.below(STOPS_WITHIN_MS);
  }

  const NEVER_MS = 600_000;
  for (const [name, times, reason] of [
    ['waitForJob', { dueMs: NEVER_MS }, 'a wait has been pending for'],
    ['moveToActive', { dueMs: NEVER_MS }, 'a fetch has been pending for'],
    ['waitForJob', { callMs: NEVER_MS }, 'a task has been due for'],
  ] as const) {
    it(`gets a new one, says so once, counts it, and sends what is due: ${name} never settles, so ${reason} too long`, async () => {
      const loop = hanging(name);
      const worker = await idleWorker({ standstillTimes: { ...QUICK, ...times } });
      loop.begin();
      const tasks = [httpTask(receiver.url('/')), httpTask(receiver.url('/'))] as const;
      await submitNew(service.baseUrl, tasks[0]);
      await eventually(() => { expect(loop.hung).to.be.above(0); }, { withinMs: 15_000 });
      loop.end();
      await submitNew(service.baseUrl, tasks[1]);
      for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
      for (const { id } of tasks) expect(receiver.requestsFor(id)).to.have.lengthOf(1);
      expect(worker.rebuilds).to.equal(1);
      const lines = log().split('\n').filter((line) => line.includes('a shard stands still'));
      expect(lines).to.have.lengthOf(1);
      expect(lines[0]).to.include('"queue":"deliver-0"').and.to.include(reason);
      await eventually(async () => { expect(await rebuildsInStats()).to.equal(1); });
    }).timeout(60_000);
  }

  it('is not rebuilt while it works, and while it waits', async () => {
    const worker = await idleWorker();
    const until = performance.now() + 3 * QUICK.dueMs;
    await eventually(async () => {
      await submitNew(service.baseUrl, httpTask(receiver.url('/'), { initial_delay: 0.5 }));
      expect(performance.now()).to.be.above(until);
    }, { withinMs: 20 * QUICK.dueMs, everyMs: 200 });
    expect([worker.rebuilds, await rebuildsInStats()]).to.deep.equal([0, 0]);
  });

  it('loses no task in its hands, and sends none of them twice', async () => {
    let answer = (): void => undefined;
    receiver.on('/slow', { kind: 'answer', after: new Promise<void>((resolve) => { answer = resolve; }) });
    const loop = hanging('moveToActive');
    const worker = await idleWorker();
    const slow = Array.from({ length: 5 }, () => httpTask(receiver.url('/slow')));
    for (const task of slow) await submitNew(service.baseUrl, task);
    await receiver.waitForRequests(slow.length, { path: '/slow' });
    loop.begin();
    const task = httpTask(receiver.url('/'));
    await submitNew(service.baseUrl, task);
    await eventually(() => { expect(worker.rebuilds).to.equal(1); }, { withinMs: 15_000 });
    loop.end();
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(worker.inHand).to.equal(slow.length);
    answer();
    for (const { id } of slow) {
      const shown = await waitForState(service.baseUrl, id, 'delivered');
      expect(shown.attempt).to.equal(0);
      expect(receiver.requestsFor(id)).to.have.lengthOf(1);
    }
    expect(worker.inHand).to.equal(0);
  }).timeout(60_000);

  it('has to end with its process when two rebuilds were in vain', async () => {
    let standstills = 0;
    const loop = hanging('moveToActive');
    const worker = await idleWorker({ onStandstill: () => { standstills += 1; } });
    loop.begin();
    await submitNew(service.baseUrl, httpTask(receiver.url('/')));
    await eventually(() => { expect(standstills).to.equal(1); }, { withinMs: 30_000 });
    expect(worker.rebuilds).to.equal(2);
    expect(log()).to.include('building its worker anew has not helped: this process ends');
    await stopsQuickly(worker);
  }).timeout(60_000);

  it('is not taken to hang while Redis is full, however long, and goes on when there is room', async () => {
    const admin = connect('worker', redis.address);
    try {
      const worker = await idleWorker({ onStandstill: () => { throw new Error('it was not to end'); } });
      await admin.config('SET', 'maxmemory', '1mb');
      const task = httpTask(receiver.url('/'), { initial_delay: 0.1 });
      await admin.config('SET', 'maxmemory', '0');
      await submitNew(service.baseUrl, task);
      await admin.config('SET', 'maxmemory', '1mb');
      await eventually(() => { expect(log()).to.include('redis is full'); }, { withinMs: 20_000 });
      const until = performance.now() + 6 * QUICK.dueMs;
      await eventually(() => { expect(performance.now()).to.be.above(until); }, { withinMs: 20 * QUICK.dueMs });
      expect(worker.rebuilds).to.equal(0);
      await admin.config('SET', 'maxmemory', '0');
      await waitForState(service.baseUrl, task.id, 'delivered', { withinMs: 30_000 });
      expect((await getTask(service.baseUrl, task.id)).attempt).to.equal(0);
      expect(worker.rebuilds).to.equal(0);
    } finally {
      await admin.config('SET', 'maxmemory', '0');
      admin.disconnect();
    }
  }).timeout(60_000);

  describe('is stopped within 2 s when nothing is in its hands', () => {
    for (const name of ['waitForJob', 'moveToActive'] as const) {
      it(`although ${name} never settles`, async () => {
        const loop = hanging(name);
        const worker = await idleWorker({ standstillTimes: { ...QUICK, callMs: NEVER_MS, dueMs: NEVER_MS } });
        loop.begin();
        await submitNew(service.baseUrl, httpTask(receiver.url('/')));
        await eventually(() => { expect(loop.hung).to.be.above(0); }, { withinMs: 15_000 });
        await stopsQuickly(worker);
      }).timeout(60_000);
    }

    it('although Redis is frozen', async () => {
      const worker = await idleWorker();
      await redis.freeze();
      try {
        await stopsQuickly(worker);
      } finally {
        redis.thaw();
      }
    });

    it('although Redis is gone', async () => {
      const worker = await idleWorker();
      await redis.kill();
      await eventually(() => { expect(log()).to.include('redis is away'); });
      await stopsQuickly(worker);
      await redis.restart();
    });
  });
});
