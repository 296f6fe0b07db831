import { expect } from 'chai';

import type { Circuit } from '../../../../shared/domain/flow/circuit.js';
import { flowNamed } from '../../../../shared/domain/destinations/flow.js';
import { WaitingLists } from '../../../../shared/queue/flow/waiting-lists.js';
import { WakeUps } from '../../../../workers/flow-control/wake-ups.js';
import { eventually } from '../../../support/eventually.js';
import { putBack } from '../../../support/hints.js';
import { InProcessService } from '../../../support/service-in-process.js';

describe('flow control, after very many destinations', () => {
  let service: InProcessService;
  beforeEach(async () => { service = await InProcessService.ready(); });
  afterEach(() => service.close());

  it('remembers none that has no task waiting, here or in Redis, though others fetched what was woken', async () => {
    const [shard] = await service.queue.shards();
    if (shard === undefined) throw new Error('no shard');
    const waitingLists = new WaitingLists(shard);
    let now = 0;
    let room = 0;
    const wakeUps = new WakeUps({ roomFor: () => ({ ofFlow: room, ofHost: room }), speedOf: () => 'quick', now: () => now });
    wakeUps.watch(waitingLists);
    const flows = Array.from({ length: 3_000 }, (_, nth) => flowNamed(`k-${nth}`, `http://host-${nth}`));
    for (const [nth, flow] of flows.entries()) {
      const jobId = `t-${nth}`;
      await putBack(service.redis, shard, flow.id, jobId, nth);
      wakeUps.expectDeferred(waitingLists, flow, 1);
    }
    await eventually(async () => expect(await service.redis.zcard(shard.keys.waitingLists)).to.equal(3_000));
    await wakeUps.tick();
    expect([wakeUps.remembered, wakeUps.waiting(flows[7] ?? flowNamed('', ''))], 'no room').to.deep.equal([3_000, 1]);
    room = 1;
    await eventually(async () => {
      await wakeUps.tick();
      expect(await service.redis.zcard(shard.keys.waitingLists)).to.equal(0);
    }, { withinMs: 20_000 });
    expect(await service.redis.zcount(shard.keys.delayed, '-inf', 3_000 * 4_096), 'all are due').to.equal(3_000);
    expect(await service.redis.exists(shard.keys.waitingList(flowNamed('k-1', 'http://host-1').id))).to.equal(0);
    now += 1_001;
    await eventually(async () => {
      await wakeUps.tick();
      expect(wakeUps.remembered).to.equal(0);
    });
  }).timeout(40_000);

  it('drops the circuits of hosts without a send for an hour, and leaves the others', async () => {
    const store = service.queue.fleet.flowStore();
    const now = Date.now();
    const circuit = (until: number): Circuit => ({ openedAt: until - 2_000, until, coolMs: 2_000, reason: 'failures' });
    await Promise.all(Array.from({ length: 3_000 }, (_, nth) => store.openCircuit(`http://gone-${nth}`, circuit(now - 3_601_000))));
    await store.openCircuit('http://down', circuit(now - 3_000_000));
    await service.startWorker();
    await eventually(async () => expect([...(await store.snapshotOfAll()).circuits.keys()]).to.deep.equal(['http://down']), { withinMs: 10_000 });
  }).timeout(20_000);

  it('gives a host 5,000 waiting lists of its own, and none for further flows', async () => {
    const [shard] = await service.queue.shards();
    if (shard === undefined) throw new Error('no shard');
    const waitingLists = new WaitingLists(shard);
    const wakeUps = new WakeUps({ roomFor: () => ({ ofFlow: 0, ofHost: 0 }), speedOf: () => 'quick', now: () => 0 });
    for (let nth = 0; nth < 5_000; nth += 1) {
      expect(wakeUps.hasOwnList(flowNamed(`tenant-${nth}`, 'http://crowded'))).to.equal(true);
      wakeUps.expectDeferred(waitingLists, flowNamed(`tenant-${nth}`, 'http://crowded'), 1);
    }
    const own = [flowNamed('tenant-new', 'http://crowded'), flowNamed('tenant-7', 'http://crowded'), flowNamed('tenant-new', 'http://other')].map((flow) => wakeUps.hasOwnList(flow));
    expect(own, 'a new one, a known one, one of another host').to.deep.equal([false, true, true]);
  });

  it('gives the room of a host once, whatever number of its flows have tasks waiting', async () => {
    const [shard] = await service.queue.shards();
    if (shard === undefined) throw new Error('no shard');
    const waitingLists = new WaitingLists(shard);
    const wakeUps = new WakeUps({ roomFor: () => ({ ofFlow: 2, ofHost: 2 }), speedOf: () => 'quick', now: () => 0 });
    wakeUps.watch(waitingLists);
    for (let nth = 0; nth < 50; nth += 1) {
      const jobId = `t-${nth}`;
      const flow = flowNamed(`kafka://dead:1/topic-${nth}`, 'kafka://dead:1');
      await putBack(service.redis, shard, flow.id, jobId, nth);
      wakeUps.expectDeferred(waitingLists, flow, 1);
    }
    await eventually(async () => expect(await service.redis.zcard(shard.keys.waitingLists)).to.equal(50));
    for (let nth = 0; nth < 3; nth += 1) await wakeUps.tick();
    expect(await service.redis.zcount(shard.keys.delayed, '-inf', 50 * 4_096), 'woken').to.equal(2);
    expect(await service.redis.zcard(shard.keys.waitingLists)).to.equal(48);
  });
});
