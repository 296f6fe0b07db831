import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';
import { Redis } from 'ioredis';

import { dueAtOfScore } from '../../shared/queue/engine/due-score.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';
import { jobIdOf } from '../../shared/queue/names.js';
import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { testRedisAddress } from '../support/redis.js';
import { Service, type ServiceProcess } from '../support/service.js';
import { shardKeys } from '../support/shard-keys.js';
import { call, cancel, getTask, httpTask, retryNow, submitNew, timeOf, waitForState } from '../support/tasks.js';

const SEND_MS = 1_500;
/** What two busy cores may add to the time at which a task is due. */
const LATE_MS = 3_000;
const HOUR_MS = 3_600_000;

/** The clock of the processes that are started with its settings. It begins right. */
class SteppedClock {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'clock-'));
  readonly #file = path.join(this.#folder, 'shift');
  readonly settings = { NODE_OPTIONS: `--import=${new URL('./preload/set-clock.mjs', import.meta.url).href}`, CLOCK_FILE: this.#file };

  constructor() {
    this.set(0);
  }

  /** @param stepMs how far it is ahead of the right time from now on */
  set(stepMs: number): void {
    writeFileSync(this.#file, String(stepMs));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** A time that is wrong by an hour differs from now by far more than what a test takes. */
function expectNow(time: unknown, what: string): void {
  expect(Math.abs(timeOf(time) - Date.now()), `${what}: ${String(time)}`).to.be.below(600_000);
}

describe('e2e: the clock', () => {
  let clock: SteppedClock;
  let receiver: Receiver;
  let service: Service;

  beforeEach(async () => {
    clock = new SteppedClock();
    receiver = await createReceiver();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
    clock.remove();
  });

  describe('of a worker is set during a send', () => {
    beforeEach(async () => {
      receiver.on('/hook', { kind: 'answer', delayMs: SEND_MS });
      receiver.on('/down', { kind: 'answer', delayMs: SEND_MS, status: 500 });
      // The lock is shorter than the send: it has to be renewed meanwhile.
      service = await Service.start({ workers: 0, settings: { ENVIRONMENT: 'prod', LOCK_DURATION: '1s', STALL_CHECK_INTERVAL: '300ms' } });
    });

    for (const [name, stepMs] of [['back by a minute', -60_000], ['forward by an hour', 3_600_000]] as const) {
      it(`${name}: durations are those of the send, and it is sent once`, async () => {
        const worker = await service.startWorker(clock.settings);
        const delivered = httpTask(receiver.url('/hook'));
        const { dead_destination: _none, ...parked } = httpTask(receiver.url('/down'), { on_exhausted: 'park' });
        await submitNew(service.baseUrl, delivered);
        await submitNew(service.baseUrl, parked);
        await receiver.waitForRequests(2);
        clock.set(stepMs);
        const shown = [await waitForState(service.baseUrl, delivered.id, 'delivered'), await waitForState(service.baseUrl, parked.id, 'parked')];
        for (const { timeline } of shown) {
          expect(timeline).to.have.lengthOf(1);
          expect(timeline[0]?.duration_ms).to.be.within(SEND_MS - 100, SEND_MS + 3_000);
        }
        expect(receiver.requests).to.have.lengthOf(2);
        await worker.stop();
        expect(worker.output).to.not.include('a worker died with a task').and.not.include('lost the lock');
        const logged = worker.lines.filter((line) => line.includes('"message":"attempt"')).map((line) => (JSON.parse(line) as { duration_ms: number }).duration_ms);
        expect(logged).to.have.lengthOf(2);
        for (const ms of logged) expect(ms).to.be.within(SEND_MS - 100, SEND_MS + 3_000);
      });
    }
  });

  describe('of the only worker is set while it runs', () => {
    let worker: ServiceProcess;
    let redis: Redis;

    beforeEach(async () => {
      redis = new Redis(testRedisAddress());
      service = await Service.start({ workers: 0 });
      worker = await service.startWorker(clock.settings);
    });
    afterEach(() => { redis.disconnect(); });

    /** When the task is due by what stands in Redis, ms since the epoch; undefined when it does not wait. */
    async function dueAt(id: string): Promise<number | undefined> {
      const score = await redis.zscore(shardKeys(service.prefix).delayed, jobIdOf(id));
      return score === null ? undefined : dueAtOfScore(score);
    }

    for (const [name, stepMs] of [['forward by an hour', HOUR_MS], ['back by an hour', -HOUR_MS], ['back by 10 s', -10_000]] as const) {
      it(`${name}: every task goes out when it is due, a retry after its wait, and none early`, async () => {
        receiver.on('/fails-once', () => ({ kind: 'answer', status: receiver.requestsTo('/fails-once').length === 1 ? 500 : 200 }));
        const first = httpTask(receiver.url('/first'));
        await submitNew(service.baseUrl, first);
        await waitForState(service.baseUrl, first.id, 'delivered');
        const before = httpTask(receiver.url('/before'), { initial_delay: 2 });
        const since = Date.now();
        await submitNew(service.baseUrl, before);

        // The loop of the worker waits for a task that is due in 2 s.
        clock.set(stepMs);
        const changedAt = Date.now();
        const [later, retried, distant] = [httpTask(receiver.url('/later'), { initial_delay: 2 }), httpTask(receiver.url('/fails-once'), { max_retries: 1, base_delay: 1 }), httpTask(receiver.url('/distant'), { initial_delay: 1_800 })];
        for (const task of [later, retried, distant]) await submitNew(service.baseUrl, task);
        const until = Date.now() + LATE_MS;
        for (const { id } of [before, later, retried]) await waitForState(service.baseUrl, id, 'delivered');

        const arrivals = (path: string): number[] => receiver.requestsTo(path).map(({ arrivedAt }) => arrivedAt);
        expect(arrivals('/before')[0]).to.be.within(since + 2_000, until + 2_000);
        expect(arrivals('/later')[0]).to.be.within(changedAt + 2_000, until + 2_000);
        const [failedAt = 0, retriedAt = 0] = arrivals('/fails-once');
        expect(retriedAt - failedAt).to.be.within(995, 1_000 + LATE_MS);
        expect(arrivals('/distant'), 'due in half an hour').to.deep.equal([]);
        expect(await dueAt(distant.id)).to.be.within(Date.now() + 1_700_000, Date.now() + 1_900_000);
        const { timeline, finished_at } = await waitForState(service.baseUrl, retried.id, 'delivered');
        for (const time of [...timeline.map(({ started_at }) => started_at), finished_at]) expect(Math.abs(timeOf(time) - Date.now()), String(time)).to.be.below(60_000);
      });

      it(`${name}: a task that is deferred, and one that waits for a version that can read it, come back as soon as ever`, async () => {
        const destination = `${service.baseUrl}/destinations/${encodeURIComponent(new URL(receiver.url('/')).origin)}`;
        clock.set(stepMs);
        expect((await fetch(`${destination}/pause`, { method: 'POST' })).status).to.equal(200);
        const [paused, unreadable] = [httpTask(receiver.url('/paused'), { initial_delay: 1.5 }), httpTask(receiver.url('/unreadable'), { initial_delay: 1.5 })];
        await submitNew(service.baseUrl, unreadable);
        await redis.hset(shardKeys(service.prefix).job(unreadable.id), jobField.data, '{"v":2}');
        await submitNew(service.baseUrl, paused);
        await eventually(async () => { expect((await getTask(service.baseUrl, paused.id)).waiting_for?.code).to.equal('paused'); }, { withinMs: 10_000 });
        await eventually(async () => { expect(await dueAt(paused.id)).to.be.within(Date.now() + 10_000, Date.now() + 120_000); }, { withinMs: 10_000 });
        await worker.hasWritten(/cannot read a task/);
        await eventually(async () => { expect(await dueAt(unreadable.id)).to.be.within(Date.now() - 60_000, Date.now() + 60_000); });
        expect((await fetch(`${destination}/resume`, { method: 'POST' })).status).to.equal(200);
        await waitForState(service.baseUrl, paused.id, 'delivered');
      });
    }
  });

  describe('of the API is wrong', () => {
    beforeEach(async () => { service = await Service.start(); });

    for (const [when, isFromTheStart] of [['when it starts', true], ['from one moment to the next', false]] as const) {
      for (const [name, stepMs] of [['an hour ahead', HOUR_MS], ['an hour behind', -HOUR_MS]] as const) {
        it(`${name} ${when}: what it takes is sent when it is due, and every time that it shows is right`, async () => {
          if (isFromTheStart) clock.set(stepMs);
          await service.startServer(clock.settings);
          clock.set(stepMs);
          receiver.on('/down', { kind: 'answer', status: 500 });
          const { dead_destination: _none, ...parked } = httpTask(receiver.url('/down'), { on_exhausted: 'park', max_retries: 0 });
          const [now, soon, later] = [httpTask(receiver.url('/now')), httpTask(receiver.url('/soon'), { initial_delay: 2 }), httpTask(receiver.url('/later'), { initial_delay: 1_800 })];
          const since = Date.now();
          for (const [task, delayMs] of [[now, 0], [soon, 2_000], [later, 1_800_000], [parked, 0]] as const) {
            const { body } = await submitNew(service.baseUrl, task);
            expect(timeOf(body['next_attempt_at']), task.id).to.be.within(since + delayMs, Date.now() + delayMs);
          }
          for (const { id } of [now, soon]) {
            const { created_at, finished_at } = await waitForState(service.baseUrl, id, 'delivered');
            expectNow(created_at, 'created_at');
            expectNow(finished_at, 'finished_at');
          }
          expect(receiver.requestsTo('/soon')[0]?.arrivedAt).to.be.within(since + 2_000, Date.now());

          expect((await getTask(service.baseUrl, later.id)).waiting_for?.code).to.equal('initial_delay');
          expect((await cancel(service.baseUrl, later.id)).status).to.equal(200);
          const cancelled = await getTask(service.baseUrl, later.id);
          expectNow(cancelled.finished_at, 'finished_at of a cancelled task');
          expectNow(cancelled.timeline.at(-1)?.cancelled_at, 'cancelled_at');

          await waitForState(service.baseUrl, parked.id, 'parked');
          const { status, body } = await retryNow(service.baseUrl, parked.id);
          expect(status).to.equal(202);
          expectNow(body['next_attempt_at'], 'next_attempt_at of a retry');
          const { timeline } = await waitForState(service.baseUrl, parked.id, 'parked');
          expectNow(timeline.find(({ redriven_at }) => redriven_at !== undefined)?.redriven_at, 'redriven_at');

          const dueSince = (await call(service.baseUrl, '/stats')).body['oldest_due_ms'];
          expect(dueSince ?? 0, 'oldest_due_ms').to.be.below(600_000);
          const aMinuteAgo = new Date(Date.now() - 60_000).toISOString();
          expect((await call(service.baseUrl, `/history?since=${encodeURIComponent(aMinuteAgo)}`)).status).to.equal(200);
        });
      }
    }
  });
});
