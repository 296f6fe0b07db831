import { expect } from 'chai';

import { flowNamed } from '../../../../shared/domain/destinations/flow.js';
import { WaitingLists } from '../../../../shared/queue/flow/waiting-lists.js';
import type { Shard } from '../../../../shared/queue/engine/shard.js';
import { WakeUps } from '../../../../workers/flow-control/wake-ups.js';
import { eventually } from '../../../support/eventually.js';
import { createPathMask } from '../../../../shared/domain/destinations/path-mask.js';
import { TaskQueue } from '../../../../shared/queue/tasks/task-queue.js';
import { connectRedis } from '../../../../shared/redis/redis-connection.js';
import { PrivateRedis } from '../../../support/redis.js';
import { putBack } from '../../../support/hints.js';
import { InProcessService } from '../../../support/service-in-process.js';

const flow = flowNamed('http://busy.example.com', 'http://busy.example.com');

describe('wake-ups of one destination', () => {
  let service: InProcessService;
  let wakeUps: WakeUps;
  let room: number;
  let now: number;
  let waitingLists: WaitingLists;
  let shard: Shard;
  let woken: () => Promise<number>;

  beforeEach(async () => {
    service = await InProcessService.ready();
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
    waitingLists = new WaitingLists(shard);
    [room, now] = [0, 0];
    wakeUps = new WakeUps({ roomFor: () => ({ ofFlow: room, ofHost: room }), speedOf: () => 'quick', now: () => now });
    wakeUps.watch(waitingLists);
    for (let nth = 0; nth < 50; nth += 1) await putBack(service.redis, shard, flow.id, `t-${nth}`, nth);
    wakeUps.expectDeferred(waitingLists, flow, 50);
    woken = () => service.redis.zcount(shard.keys.delayed, '-inf', 50 * 4_096);
  });
  afterEach(() => service.close());

  it('forgets no send that ends while the waiting list is being woken for the one before', async () => {
    // All of them in one turn of the event loop, as sends to one receiver end.
    for (let sends = 1; sends <= 10; sends += 1) {
      room = sends;
      wakeUps.leave(flow);
    }
    await eventually(async () => expect(await woken(), 'without a tick').to.equal(10));
  });

  it('gives the room of a host to its flows in turn, without a tick: flow_keys with a task each do not wait for the next one', async () => {
    const keyed = Array.from({ length: 30 }, (_, nth) => flowNamed(`tenant-${nth}`, flow.host));
    for (const [nth, tenant] of keyed.entries()) {
      await putBack(service.redis, shard, tenant.id, `t-of-tenant-${nth}`, nth);
      wakeUps.expectDeferred(waitingLists, tenant, 1);
    }
    const wokenTenants = async (): Promise<number> => (await service.redis.zrangebyscore(shard.keys.delayed, '-inf', 50 * 4_096)).filter((id) => id.includes('tenant')).length;
    // One send ends at a time: the long waiting list of another flow takes its turn among them, and no more.
    for (let sends = 1; sends <= 10; sends += 1) {
      room = sends;
      wakeUps.leave(flow);
      await eventually(async () => expect(await woken()).to.equal(sends));
    }
    expect(await wokenTenants()).to.be.within(8, 10);
    // Much room at once, found at the end of one send.
    room = 10 + 15;
    wakeUps.leave(flow);
    await eventually(async () => expect(await woken()).to.equal(25));
    now = 61;
    room = 80;
    wakeUps.leave(flowNamed('tenant-0', flow.host));
    await eventually(async () => expect(await woken()).to.equal(80));
    await eventually(() => expect(wakeUps.remembered, 'flows, and those that are on their way').to.be.at.most(2));
  });

  it('wakes first what is no longer held, however many others wait for their turn', async () => {
    const { host } = flow;
    const paused = Array.from({ length: 4_000 }, (_, nth) => flowNamed(`tenant-${nth}`, host));
    const some = new WakeUps({ roomFor: ({ id }) => (id === freed.id ? { ofFlow: 2, ofHost: 2 } : { ofFlow: 0, ofHost: 0 }), speedOf: () => 'quick', now: () => now });
    const freed = flowNamed('tenant-freed', host);
    some.watch(waitingLists);
    for (const each of [...paused, freed]) some.expectDeferred(waitingLists, each, 1);
    await putBack(service.redis, shard, freed.id, 't-freed', 1);
    some.wakeFirst(some.flowsWhere(({ key }) => key === freed.key));
    // No tick: two of them would pass before its turn comes.
    await eventually(async () => expect(await woken()).to.equal(1));
  });

  it('gives no further list to a host with 5,000: the first task of a flow stays with the others', async () => {
    const { host } = flow;
    const [last, further] = ['last', 'further'].map((name) => flowNamed(name, host));
    if (last === undefined || further === undefined) throw new Error('no flow');
    // Beside that of the others of the host, which is there.
    for (let nth = 0; nth < 4_998; nth += 1) wakeUps.expectDeferred(waitingLists, flowNamed(`tenant-${nth}`, host), 1);
    await wakeUps.takeFromOthers(waitingLists, last, ['t-0']);
    await wakeUps.takeFromOthers(waitingLists, further, ['t-1']);
    expect(await Promise.all([last, further].map(({ id }) => service.redis.zcard(shard.keys.waitingList(id))))).to.deep.equal([1, 0]);
    expect(await service.redis.zscore(shard.keys.waitingList(flow.id), 't-1')).to.equal('1');
  });

  it('wakes none once it is closed: a worker that stops will not fetch them', async () => {
    room = 10;
    wakeUps.close();
    wakeUps.leave(flow);
    wakeUps.roomGrew(flow);
    await wakeUps.tick();
    // A wake-up that had been sent would reach Redis before this one.
    await waitingLists.wake(flow.id, 1);
    expect(await woken()).to.equal(1);
  });

  it('wakes no task for the room of those that are on their way', async () => {
    room = 10;
    wakeUps.leave(flow);
    await eventually(async () => expect(await woken()).to.equal(10));
    for (let nth = 0; nth < 3; nth += 1) await wakeUps.tick();
    expect(await woken()).to.equal(10);
  });

  it('counts on those that do not come for a moment, each host of them for itself', async () => {
    room = 10;
    wakeUps.leave(flow);
    await eventually(async () => expect(await woken()).to.equal(10));
    now = 40;
    // Two have begun to be sent, and as many sends have ended.
    for (let nth = 0; nth < 2; nth += 1) wakeUps.arrived(flow);
    wakeUps.leave(flow);
    await eventually(async () => expect(await woken()).to.equal(12));
    // Eight of the first ten have gone to another worker. The two that were woken later are still on their way.
    now = 61;
    wakeUps.leave(flow);
    await eventually(async () => expect(await woken()).to.equal(20));
    await wakeUps.tick();
    expect(await woken()).to.equal(20);
  });
});

describe('wake-ups of one destination in several shards', () => {
  let service: InProcessService;
  afterEach(() => service.close());

  it('gives single places to the shards in turn, so that none waits until another one is empty', async () => {
    service = await InProcessService.ready({ shards: 3 });
    const shards = await service.queue.shards();
    let room = 0;
    const wakeUps = new WakeUps({ roomFor: () => ({ ofFlow: room, ofHost: room }), speedOf: () => 'quick', now: () => 0 });
    for (const shard of shards) {
      const waitingLists = new WaitingLists(shard);
      wakeUps.watch(waitingLists);
      for (let nth = 0; nth < 20; nth += 1) await putBack(service.redis, shard, flow.id, `t-${nth}`, nth);
      wakeUps.expectDeferred(waitingLists, flow, 20);
    }
    const woken = (): Promise<number[]> => Promise.all(shards.map((shard) => service.redis.zcount(shard.keys.delayed, '-inf', 20 * 4_096)));
    for (let sends = 1; sends <= 9; sends += 1) {
      room = sends;
      wakeUps.leave(flow);
      await eventually(async () => expect((await woken()).reduce((sum, each) => sum + each, 0)).to.equal(sends));
    }
    expect(await woken()).to.deep.equal([3, 3, 3]);
  });

  it('goes on with the tasks of other shards while one gives no answer, and with its own as soon as it does', async () => {
    service = await InProcessService.ready();
    const frozen = await PrivateRedis.start();
    const elsewhere = connectRedis({ mode: 'standalone', address: frozen.address, db: 0, tls: false, username: undefined, password: undefined }, 'worker');
    const queue = new TaskQueue({ redis: elsewhere, prefix: 'frozen', shards: 1, deadAttempts: 1, mask: createPathMask([]), clock: Date.now });
    try {
      let room = 0;
      const wakeUps = new WakeUps({ roomFor: () => ({ ofFlow: room, ofHost: room }), speedOf: () => 'quick', now: () => performance.now() });
      const parts = [{ redis: elsewhere, shard: (await queue.shards())[0] }, { redis: service.redis, shard: (await service.queue.shards())[0] }];
      const woken: (() => Promise<number>)[] = [];
      for (const { redis, shard } of parts) {
        if (shard === undefined) throw new Error('no shard');
        const waitingLists = new WaitingLists(shard);
        wakeUps.watch(waitingLists);
        for (let nth = 0; nth < 20; nth += 1) await putBack(redis, shard, flow.id, `t-${nth}`, nth);
        wakeUps.expectDeferred(waitingLists, flow, 20);
        woken.push(() => redis.zcount(shard.keys.delayed, '-inf', 20 * 4_096));
      }
      await frozen.freeze();
      room = 5;
      wakeUps.leave(flow);
      await eventually(async () => expect(await woken[1]?.()).to.equal(5));
      // What was woken has been sent, and the frozen one is known now: nothing is waited for any more.
      await eventually(async () => {
        await wakeUps.tick();
        expect(await woken[1]?.()).to.equal(20);
      });
      frozen.thaw();
      await eventually(async () => {
        await wakeUps.tick();
        expect(await woken[0]?.()).to.equal(20);
      });
    } finally {
      frozen.thaw();
      await queue.close();
      elsewhere.disconnect();
      await frozen.close();
    }
  });
});

describe('ticks of a worker with many shards', () => {
  it('look at empty shards in turn, and at one with a waiting list each time', async () => {
    const service = await InProcessService.ready({ shards: 10 });
    try {
      const shards = await service.queue.shards();
      const [full] = shards;
      if (full === undefined) throw new Error('no shard');
      await putBack(service.redis, full, flow.id, 't', 1);
      const wakeUps = new WakeUps({ roomFor: () => ({ ofFlow: 0, ofHost: 0 }), speedOf: () => 'quick', now: () => 0 });
      const looked: number[] = [];
      for (const [nth, shard] of shards.entries()) {
        const waitingLists = new WaitingLists(shard);
        const next = waitingLists.next.bind(waitingLists);
        waitingLists.next = (limit) => {
          looked.push(nth);
          return next(limit);
        };
        wakeUps.watch(waitingLists);
      }
      const tick = async (): Promise<number[]> => {
        await wakeUps.tick();
        return looked.splice(0);
      };
      expect(await tick(), 'none is known yet').to.have.lengthOf(10);
      const ticks = [await tick(), await tick(), await tick()];
      for (const each of ticks) expect(each).to.have.lengthOf(5).and.include(0);
      expect(new Set(ticks.flat()).size, 'all had their turn').to.equal(10);
    } finally {
      await service.close();
    }
  });
});
