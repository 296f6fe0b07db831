import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { profile } from './profile.js';
import { scenario } from './scenario.js';
import { SlowLink } from './slow-link.js';

describe('chaos: Redis misbehaves', () => {
  scenario('5d', 'SCRIPT FLUSH under load', async (scene) => {
    const own = await scene.ownRedis();
    const { ledger, redis } = await scene.stage({ redis: own, workers: 2 });
    ledger.on('/hook', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-attempt'] === '0' ? 500 : 200 }));
    const stopLoad = ledger.startLoad(100, () => ledger.task({ max_retries: 2 }));
    for (let flush = 0; flush < 10; flush += 1) {
      const before = ledger.acked.size;
      await eventually(() => expect(ledger.acked.size).to.be.at.least(before + 20), { withinMs: 10_000 });
      await redis.script('FLUSH');
    }
    ledger.faultIsOver();
    await stopLoad();
    const measured = await ledger.settle();
    expect(ledger.posts.filter(({ status }) => status !== 201), 'no client sees it').to.deep.equal([]);
    expect(measured).to.include({ delivered: measured.acked, duplicates: 0 });
    return { ...measured, note: '10 times' };
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
    const slowest = Math.max(...ledger.posts.filter(({ status }) => status === 201).map(({ ms }) => ms));
    return { ...measured, note: `accepted within ${Math.round(slowest)} ms at most` };
  });
});
