import { expect } from 'chai';

import type { RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { eventually } from '../../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { shardKeys } from '../../../../support/shard-keys.js';
import { call, cancel, getTaskAnswer, httpTask, retryNow, submit, submitNew, waitForState, type WireTask } from '../../../../support/tasks.js';

/** The keys of a queue beside its jobs, by what BullMQ calls them. */
const names = ['wait', 'prioritized', 'pc', 'delayed', 'active', 'meta', 'marker', 'completed', 'failed', 'stalled', 'stalled-check', 'events', 'id', 'limiter'] as const;
type Name = (typeof names)[number];

/** How long a key holds something else, ms: long enough for tasks to become due meanwhile, and for workers to try again. */
const SPOILT_MS = 3_000;

/** Keys that are tried side by side: most of it is waiting, and for a few of them a lock has to lapse. */
const AT_ONCE = 7;

/** A task that a worker has just then in its hands comes back when its lock has lapsed and two looks for stalled ones have passed, ms. */
const WITHIN_MS = 80_000;

/**
 * Each is one command: a job that a worker writes between two commands would be overwritten, and the test itself would have lost it.
 * KEYS the key, where its content is kept.
 */
const SPOIL = {
  text: "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end redis.call('SET', KEYS[1], 'something else')",
  list: "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end redis.call('LPUSH', KEYS[1], 'something else')",
} as const;
const GIVE_BACK = "if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[1]) else redis.call('DEL', KEYS[1]) end";

/** A person or another program has written the key: what it held is kept, and comes back. */
async function spoil(redis: RedisClient, key: string, value: keyof typeof SPOIL = 'text'): Promise<() => Promise<void>> {
  const keys = [key, `${key}-kept`] as const;
  await redis.eval(SPOIL[value], keys.length, ...keys);
  return async () => {
    await redis.eval(GIVE_BACK, keys.length, ...keys);
  };
}

/** Not in whole turns of a loop: the tests wait for time to pass while nothing can be awaited. */
const pass = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

describe('a key of a queue that holds something else than it should', function () {
  this.timeout(300_000);

  interface Seen {
    /** Answers of the API while the key was spoilt. */
    readonly statuses: readonly number[];
    /** Tasks that were not delivered in the end, with what became of them. */
    readonly lost: readonly string[];
  }
  const seen = new Map<Name, Seen>();
  let receiver: Receiver;
  let linesOfLog: number;

  async function see(name: Name): Promise<Seen> {
    const service = await InProcessService.ready({ release: { baseDelayMs: 100, maxDelayMs: 200 } });
    const { baseUrl, redis } = service;
    try {
      await service.startWorker({ concurrency: 5 });
      const first = httpTask(receiver.url('/'));
      await submitNew(baseUrl, first);
      await waitForState(baseUrl, first.id, 'delivered');
      const { dead_destination: _none, ...parked } = httpTask(receiver.url('/down'), { on_exhausted: 'park', max_retries: 0 });
      await submitNew(baseUrl, parked);
      await waitForState(baseUrl, parked.id, 'parked');
      receiver.on(`/fails-first-${name}`, (_request, nth) => ({ kind: 'answer', status: nth === 1 ? 500 : 200 }));
      const failing = httpTask(receiver.url(`/fails-first-${name}`), { max_retries: 5, base_delay: 1.5 });
      const due = Array.from({ length: 30 }, (_, nth) => httpTask(receiver.url('/'), { initial_delay: 1.5, ...(nth % 3 === 0 ? { is_priority: true } : {}) }));
      const later = httpTask(receiver.url('/'), { initial_delay: 3_600 });
      for (const task of [failing, ...due, later]) await submitNew(baseUrl, task);

      const mend = await spoil(redis, `${shardKeys(service.prefix).base}${name}`);
      const offered = [httpTask(receiver.url('/')), httpTask(receiver.url('/'), { is_priority: true }), httpTask(receiver.url('/'), { initial_delay: 1 })];
      const statuses: number[] = [];
      for (const task of offered) statuses.push((await submit(baseUrl, task)).status);
      await pass(SPOILT_MS);
      statuses.push((await call(baseUrl, `/tasks/${first.id}`)).status, (await retryNow(baseUrl, parked.id)).status, (await retryNow(baseUrl, later.id)).status, (await call(baseUrl, '/stats')).status);
      await mend();

      // What was refused is submitted again, as a client does.
      const again = await eventually(async () => {
        const answers = await Promise.all(offered.map((task) => submit(baseUrl, task)));
        expect(answers.map(({ status }) => status)).to.satisfy((all: number[]) => all.every((status) => status === 200 || status === 201));
        return answers;
      });
      expect(again).to.have.lengthOf(offered.length);
      expect((await retryNow(baseUrl, later.id)).status).to.be.oneOf([200, 202, 409]);
      const lost: string[] = [];
      for (const { id } of [failing, ...due, ...offered, later]) {
        await waitForState(baseUrl, id, 'delivered', { withinMs: WITHIN_MS }).catch((error: unknown) => lost.push(String(error).slice(0, 200)));
      }
      const state = (await getTaskAnswer(baseUrl, parked.id)).body['state'];
      if (state !== 'parked') await waitForState(baseUrl, parked.id, 'parked', { withinMs: WITHIN_MS }).catch((error: unknown) => lost.push(`the parked one: ${String(error).slice(0, 200)}`));
      return { statuses, lost };
    } finally {
      await service.close();
    }
  }

  before(async () => {
    receiver = await createReceiver();
    receiver.on('/down', { kind: 'answer', status: 500 });
    const probe = await InProcessService.start();
    const before = probe.log.length;
    const rest: Name[] = [...names];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let name = rest.shift(); name !== undefined; name = rest.shift()) seen.set(name, await see(name));
      }),
    );
    linesOfLog = probe.log.slice(before).split('\n').filter((line) => !line.includes('"message":"attempt"')).length;
    await probe.close();
  });
  after(() => receiver.close());

  for (const name of names) {
    it(`loses no task, and none that was accepted or parked: ${name}`, () => {
      expect(seen.get(name)?.lost).to.deep.equal([]);
    });

    it(`is answered as what Redis refuses, or does not matter: ${name}`, () => {
      for (const status of seen.get(name)?.statuses ?? [0]) expect(status).to.be.oneOf([200, 201, 202, 409, 503]);
    });
  }

  it('does not fill the log', () => {
    expect(linesOfLog / names.length, 'lines of each').to.be.below(60);
  });
});

describe('a key of a job that holds something else', () => {
  for (const value of ['text', 'list'] as const) {
    it(`does not hold up, repeat or lose the others, and is no task: a ${value}`, async () => {
      const [service, receiver] = await Promise.all([InProcessService.ready(), createReceiver()]);
      try {
        const { baseUrl, redis, log: before } = service;
        const keys = shardKeys(service.prefix);
        const tasks: WireTask[] = Array.from({ length: 60 }, (_, nth) => httpTask(receiver.url('/'), { initial_delay: 1, ...(nth % 2 === 0 ? { is_priority: true } : {}) }));
        await Promise.all(tasks.map((task) => submitNew(baseUrl, task)));
        const spoilt = tasks.filter((_, nth) => nth % 20 === 7 || nth % 20 === 8);
        for (const { id } of spoilt) await spoil(redis, keys.job(id), value);
        await service.startWorker({ concurrency: 5 });
        const others = tasks.filter((task) => !spoilt.includes(task));
        for (const { id } of others) await waitForState(baseUrl, id, 'delivered');
        for (const { id } of others) expect(receiver.requestsFor(id)).to.have.lengthOf(1);
        const log = service.log.slice(before.length);
        expect(log).to.not.include('deliveries pause');

        const [one] = spoilt;
        if (one === undefined) throw new Error('none was spoilt');
        expect(await getTaskAnswer(baseUrl, one.id)).to.nested.include({ status: 503, 'body.code': 'task_unreadable' });
        // In one call to Redis with others.
        const fresh = Array.from({ length: 20 }, () => httpTask(receiver.url('/')));
        const answers = await Promise.all([...fresh.slice(0, 10), one, ...fresh.slice(10)].map((task) => submit(baseUrl, task)));
        expect(answers.map(({ status }) => status)).to.deep.equal([...Array.from({ length: 10 }, () => 201), 503, ...Array.from({ length: 10 }, () => 201)]);
        expect((await call(baseUrl, '/stats')).status).to.equal(200);
        for (const change of [cancel, retryNow]) expect(await change(baseUrl, one.id)).to.nested.include({ status: 503, 'body.code': 'task_unreadable' });
        const page = await fetch(`${baseUrl}/admin/queues/api/queues?activeQueue=deliver-0&status=active&page=1&jobsPerPage=50`);
        expect(page.status).to.equal(200);
      } finally {
        await service.close();
        await receiver.close();
      }
    }).timeout(60_000);
  }
});
