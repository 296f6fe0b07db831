import { expect } from 'chai';

import { flowKeys } from '../../shared/queue/fleet-keys.js';
import { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { eventually } from '../support/eventually.js';
import { testRedisAddress } from '../support/redis.js';
import { connect } from '../support/service-in-process.js';
import { profile } from './profile.js';
import { scenario, type Scene, type Stage } from './scenario.js';

const MOST = 10;

describe('chaos: flow control while workers are killed', () => {
  scenario('16', `kill -9 workers ${profile.workerKills} times beside a limit of ${MOST} at once`, async (scene) => {
    const stage = await scene.stage({ workers: 0, settings: { DELIVERY_TIMEOUT: '2s' } });
    const { ledger, crew, receiver, redis, service, keys } = stage;
    // SIGKILL also ends the connections, so the receiver counts only requests that a living worker waits for.
    ledger.on('/hook', { kind: 'answer', delayMs: 100 });
    await limit(scene, stage);
    await Promise.all([1, 2, 3].map(() => crew.hire()));
    const stopLoad = ledger.startLoad(120, () => ledger.task({ max_retries: 0 }));
    for (let kill = 0; kill < profile.workerKills; kill += 1) {
      const before = receiver.requests.length;
      await eventually(() => {
        expect(receiver.requests.length).to.be.at.least(before + 30);
        expect(crew.members).to.have.lengthOf(3);
      }, { withinMs: 20_000 });
      await crew.members[kill % 3]?.kill();
    }
    ledger.faultIsOver();
    await stopLoad();
    const measured = await ledger.settle({ withinMs: 60_000 });
    const most = receiver.maxInFlight;
    expect(most).to.be.within(MOST - 2, MOST);
    expect(ledger.requestsWithAttempts(), 'no attempt is used by a crash').to.have.lengthOf(0);
    expect(measured).to.include({ delivered: measured.acked, lost: 0 });
    // A place lapses 5 s after the longest send.
    const flow = flowKeys(service.prefix, false);
    await eventually(async () => {
      const left = await Promise.all([flow.leases('*'), flow.probe('*'), keys.waitingList('*'), keys.waitingLists].map((pattern) => redis.keys(pattern)));
      expect(left.flat()).to.deep.equal([]);
    }, { withinMs: 15_000 });
    const lapsing = (await redis.keys(flow.report('*').replace('report:', ''))).filter((key) => ![flow.controls, flow.changes, flow.version, flow.versions, flow.workers].includes(key));
    expect(lapsing, 'the reports of the living workers at least').to.have.lengthOf.at.least(3);
    for (const key of lapsing) expect(await redis.pttl(key), key).to.be.above(0);
    return { ...measured, note: `${most} at once at most; no place, probe or waiting list was left` };
  });
});

/** What PUT /destinations/:key does. */
async function limit(scene: Scene, { service, receiver }: Stage): Promise<void> {
  const own = connect('server', testRedisAddress());
  const queue = new TaskQueue({ redis: own, prefix: service.prefix, shards: 1, deadAttempts: 10, clock: Date.now });
  scene.onClose(async () => {
    await queue.close();
    own.disconnect();
  });
  await queue.ready();
  await queue.fleet.flowStore().setLimits(new URL(receiver.url('/')).origin, { maxConcurrency: MOST });
}
