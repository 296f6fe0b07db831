import { expect } from 'chai';
import type { Redis } from 'ioredis';

import { eventually } from '../support/eventually.js';
import { printAddress } from '../support/redis.js';
import { ServiceProcess } from '../support/service.js';
import { uniquePrefix } from '../support/namespace.js';
import { call, getTaskAnswer } from '../support/tasks.js';
import type { Post } from './ledger.js';
import { profile } from './profile.js';
import { scenario } from './scenario.js';

const MIB = 1_048_576;
const FULL_MS = 180_000;

describe('chaos: Redis runs out of memory', () => {
  scenario('5a', 'above REDIS_HIGH_WATER submissions stop and deliveries go on', async (scene) => {
    const own = await scene.ownRedis('--maxmemory', '32mb');
    const { ledger, redis } = await scene.stage({ redis: own });
    // Due when Redis is full, also where submitting them takes its time.
    await ledger.submitAll(ledger.tasks(profile.tasks, { initial_delay: profile.name === 'long' ? 10 : 4 }));
    await fillUpTo(redis, 0.92);
    await eventually(async () => expect(await ledger.submit(ledger.task())).to.include({ status: 503, code: 'redis_full' }));
    const deliveredBefore = ledger.acceptedTasks;
    const full = ledger.acked.size;
    const refused: Post[] = [];
    await eventually(async () => {
      refused.push(await ledger.submit(ledger.task()));
      expect(ledger.acceptedTasks, 'all are delivered meanwhile').to.equal(full);
    }, { withinMs: 20_000, everyMs: 100 });
    for (const post of refused) expect(post, 'refused all the time').to.include({ status: 503, code: 'redis_full', retryAfter: '5' });
    expect(full - deliveredBefore, 'there was something to deliver').to.be.above(0);
    await redis.del(...(await redis.keys('filler:*')));
    ledger.faultIsOver();
    await eventually(async () => expect((await ledger.submit(ledger.task())).status).to.equal(201));
    const measured = await ledger.settle();
    expect(measured.delivered).to.equal(measured.acked);
    return { ...measured, note: `${full - deliveredBefore} deliveries while submissions were refused` };
  });

  scenario('5b', 'full to the last byte: deliveries pause, and go on when there is room', async (scene) => {
    const own = await scene.ownRedis('--maxmemory', '32mb');
    const { ledger, service, redis, crew, receiver } = await scene.stage({ redis: own });
    ledger.on('/slow', { kind: 'answer', delayMs: 500 });
    await ledger.submitAll([
      ...ledger.tasks(20, { destination: { url: receiver.url('/slow') }, max_retries: 0 }),
      ...ledger.tasks(profile.tasks, { initial_delay: 1.5, max_retries: 0 }),
    ]);
    await receiver.waitForRequests(20, { path: '/slow' });
    await fillUpTo(redis, 0.9);
    const room = (await redis.config('GET', 'maxmemory'))[1] ?? '';
    // What others wrote, as Redis sees it: there is less than nothing left.
    await redis.config('SET', 'maxmemory', 24 * MIB);
    const [worker] = crew.members;
    if (worker === undefined) throw new Error('no worker');
    await worker.hasWritten(/redis is full/);
    const linesBefore = worker.lines.length;
    const callsBefore = await callsOfAll(redis);
    const fullAt = performance.now();
    const outageMs = profile.name === 'long' ? 10_000 : 2_000;
    await eventually(() => expect(performance.now() - fullAt).to.be.above(outageMs), { withinMs: outageMs * 2, everyMs: 50 });
    const seconds = (performance.now() - fullAt) / 1_000;
    const callsPerSecond = Math.round(((await callsOfAll(redis)) - callsBefore) / seconds);
    const lines = worker.lines.length - linesBefore;
    const waiting = ledger.acked.values().next().value ?? '';
    expect(await ledger.submit(ledger.task()), 'no false 201').to.include({ status: 503, code: 'redis_full' });
    expect((await getTaskAnswer(service.baseUrl, waiting)).status, 'reading goes on').to.equal(200);
    await redis.config('SET', 'maxmemory', room);
    await redis.del(...(await redis.keys('filler:*')));
    ledger.faultIsOver();
    const measured = await ledger.settle();
    // Twenty outcomes tried again, twenty locks renewed and the looks of flow control, each second; a loop without a pause makes thousands.
    expect(callsPerSecond, 'no hot loop').to.be.below(800);
    // One for each of the 20 that were in flight, then a few for each try.
    expect(lines, 'log lines').to.be.below(40 + 5 * seconds);
    expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
    expect(measured.delivered).to.equal(measured.acked);
    // Lines of all queues are gathered for a moment.
    await eventually(() => expect(worker.output).to.match(/redis takes writes again/));
    return { ...measured, note: `while full: ${callsPerSecond} commands of Redis/s, ${lines} log lines in ${Math.round(seconds)} s` };
  });

  scenario('5g', 'full for 3 minutes: no worker ends, and none is taken to hang', async (scene) => {
    const own = await scene.ownRedis('--maxmemory', '32mb');
    const { ledger, service, redis, crew } = await scene.stage({ redis: own, workers: 2 });
    // test/integration/workers/shard-watchdog.test.ts is the short form, with other times.
    await ledger.submitAll(ledger.tasks(profile.tasks, { initial_delay: 30, max_retries: 0 }));
    await redis.config('SET', 'maxmemory', MIB);
    const fullAt = performance.now();
    await eventually(() => expect(performance.now() - fullAt).to.be.above(FULL_MS), { withinMs: FULL_MS + 10_000, everyMs: 500 });
    expect(ledger.acceptedTasks, 'tasks are due, and cannot be started').to.be.below(ledger.acked.size);
    expect(crew.restarts, 'workers that ended').to.equal(0);
    await redis.config('SET', 'maxmemory', 32 * MIB);
    ledger.faultIsOver();
    const measured = await ledger.settle();
    expect(measured.delivered).to.equal(measured.acked);
    expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
    expect((await call(service.baseUrl, '/stats')).body['shard_rebuilds']).to.equal(0);
    return measured;
  }, { isLongOnly: true, longMs: 400_000 });

  scenario('5c', 'a Redis that evicts is refused in prod and shouted about in dev', async (scene) => {
    const own = await scene.ownRedis('--maxmemory', '32mb');
    const { ledger, redis } = await scene.stage({ redis: own });
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    for (const entry of ['server/main.js', 'workers/main.js']) {
      const settings = { REDIS_ADDR: printAddress(own.address), QUEUE_PREFIX: uniquePrefix(), HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' };
      const strict = new ServiceProcess(entry, { ...settings, ENVIRONMENT: 'prod' });
      expect(await strict.ended(), strict.output).to.equal(78);
      expect(strict.output).to.include('maxmemory-policy allkeys-lru').and.to.include('noeviction');
      const lenient = new ServiceProcess(entry, settings);
      await lenient.hasWritten(/error \w+: Redis has maxmemory-policy allkeys-lru/);
      await lenient.hasWritten(/is up/);
      expect(await lenient.stop()).to.equal(0);
    }
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await ledger.submitAll(ledger.tasks(1));
    ledger.faultIsOver();
    return { ...(await ledger.settle()), note: 'exit code 78 in prod' };
  });
});

async function fillUpTo(redis: Redis, share: number): Promise<void> {
  const block = Buffer.alloc(MIB / 8, 'x');
  for (let nth = 0; (await usedShare(redis)) < share; nth += 1) {
    await redis.set(`filler:${nth}`, block);
  }
}

async function usedShare(redis: Redis): Promise<number> {
  const info = await redis.info('memory');
  const read = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
  return read('used_memory') / read('maxmemory');
}

/** Every command of any client, refused or not, and those inside of scripts, too. */
async function callsOfAll(redis: Redis): Promise<number> {
  const lines = (await redis.info('commandstats')).split('\n').filter((line) => line.startsWith('cmdstat_'));
  const sum = (name: string): number => lines.reduce((total, line) => total + Number(new RegExp(`[:,]${name}=(\\d+)`).exec(line)?.[1] ?? 0), 0);
  return sum('calls') + sum('rejected_calls');
}
