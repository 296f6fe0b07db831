import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { call, cancel, getTaskAnswer, retryNow } from '../support/tasks.js';
import { profile } from './profile.js';
import { NONE_IS_KILLED, scenario } from './scenario.js';
import { SlowLink } from '../support/slow-link.js';

describe('chaos: Redis misbehaves', () => {
  scenario('5d', 'SCRIPT FLUSH under load', async (scene) => {
    const own = await scene.ownRedis();
    const { ledger, service, redis } = await scene.stage({ redis: own, workers: 2, settings: NONE_IS_KILLED });
    ledger.on('/hook', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-attempt'] === '0' ? 500 : 200 }));
    const stopLoad = ledger.startLoad(100, () => ledger.task({ max_retries: 2 }));
    for (let flush = 0; flush < 10; flush += 1) {
      const before = ledger.acked.size;
      await eventually(() => expect(ledger.acked.size).to.be.at.least(before + 20), { withinMs: 10_000 });
      const [hurried, unwanted] = ledger.tasks(2, { initial_delay: 3_600, max_retries: 2 });
      if (hurried === undefined || unwanted === undefined) throw new Error('no tasks');
      await ledger.submitAll([hurried, unwanted]);
      // Each of the ways into the service meets a Redis that has just forgotten its scripts.
      for (const ask of [
        () => getTaskAnswer(service.baseUrl, hurried.id),
        () => call(service.baseUrl, '/stats'),
        () => retryNow(service.baseUrl, hurried.id),
        () => cancel(service.baseUrl, unwanted.id),
      ]) {
        await redis.script('FLUSH');
        const { status, body } = await ask();
        expect(status, JSON.stringify(body)).to.be.within(200, 299);
      }
    }
    ledger.faultIsOver();
    await stopLoad();
    const measured = await ledger.settle();
    expect(ledger.posts.filter(({ status }) => status !== 201), 'no client sees it').to.deep.equal([]);
    expect(measured).to.include({ delivered: measured.acked - 10, cancelled: 10, duplicates: 0 });
    return { ...measured, note: '40 times, before POST, GET, DELETE, retry and the counts' };
  });

  scenario('5e', 'a Redis that answers after 500 ms, and whose connections are cut', async (scene) => {
    const own = await scene.ownRedis();
    const link = await SlowLink.to(own.address);
    scene.onClose(() => link.close());
    // With the short lock of the other scenarios every renewal would come too late, and that is not what is asked here.
    const { ledger } = await scene.stage({ redis: own, redisSeenAt: link.address, settings: { LOCK_DURATION: '5s', STALL_CHECK_INTERVAL: '1s' } });
    link.delayMs = 250;
    const stopLoad = ledger.startLoad(20, () => ledger.task({ max_retries: 0 }));
    for (let cut = 0; cut < profile.redisKills; cut += 1) {
      const accepted = ledger.acceptedTasks;
      await eventually(() => expect(ledger.acceptedTasks).to.be.at.least(accepted + 10), { withinMs: 30_000 });
      link.cut();
    }
    const accepted = ledger.acceptedTasks;
    await eventually(() => expect(ledger.acceptedTasks).to.be.at.least(accepted + 10), { withinMs: 30_000 });
    await stopLoad();
    link.delayMs = 0;
    ledger.faultIsOver();
    const measured = await ledger.settle();
    expect(measured.delivered).to.equal(measured.acked);
    expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
    expect(ledger.posts.filter(({ status, code }) => status !== 201 && code !== 'redis_unavailable'), 'refused in the one right way').to.deep.equal([]);
    const slowest = Math.max(...ledger.posts.filter(({ status }) => status === 201).map(({ ms }) => ms));
    return { ...measured, note: `accepted within ${Math.round(slowest)} ms at most` };
  }, { isLongOnly: true });

  scenario('5f', 'connections to Redis that nobody answers any more, and nobody closes', async (scene) => {
    const own = await scene.ownRedis();
    const link = await SlowLink.to(own.address);
    scene.onClose(() => link.close());
    const { ledger } = await scene.stage({ redis: own, redisSeenAt: link.address, workers: 2 });
    const stopLoad = ledger.startLoad(20, () => ledger.task({ max_retries: 0 }));
    await eventually(() => expect(ledger.acceptedTasks).to.be.at.least(20), { withinMs: 10_000 });
    link.forget();
    const lostAt = performance.now();
    const [acked, accepted] = [ledger.acked.size, ledger.acceptedTasks];
    // What was on its way when the connections died may still be answered.
    await eventually(() => expect(ledger.acked.size).to.be.at.least(acked + 10), { withinMs: 30_000 });
    const acceptingMs = Math.round(performance.now() - lostAt);
    await eventually(() => expect(ledger.acceptedTasks).to.be.at.least(accepted + 10), { withinMs: 30_000 });
    const deliveringMs = Math.round(performance.now() - lostAt);
    await stopLoad();
    ledger.faultIsOver();
    const measured = await ledger.settle();
    expect(measured.delivered).to.equal(measured.acked);
    expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
    return { ...measured, note: `accepted again after ${(acceptingMs / 1_000).toFixed(1)} s, delivered again after ${(deliveringMs / 1_000).toFixed(1)} s` };
  }, { isLongOnly: true });
});
