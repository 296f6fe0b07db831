import { expect } from 'chai';

import type { Actor } from '../../../../../shared/domain/actor.js';
import type { Circuit } from '../../../../../shared/domain/flow/circuit.js';
import type { FlowPolicy } from '../../../../../shared/domain/flow/flow-policy.js';
import type { FlowStore, PauseOrder } from '../../../../../shared/queue/flow/flow-store.js';
import { flowKeys } from '../../../../../shared/queue/fleet-keys.js';
import { eventually } from '../../../../support/eventually.js';
import { PrivateRedis } from '../../../../support/redis.js';
import { InProcessService } from '../../../../support/service-in-process.js';

const anna: Actor = { type: 'anonymous', id: null, name: null, operator: 'Anna' };

function order(changes: Partial<PauseOrder> = {}): PauseOrder {
  return { until: undefined, by: anna, reason: undefined, ...changes };
}

describe('FlowStore', () => {
  let service: InProcessService;
  let store: FlowStore;
  // Its own, because one of these tests takes all scripts away.
  let redis: PrivateRedis;

  before(async () => { redis = await PrivateRedis.start(); });
  after(() => redis.close());
  beforeEach(async () => {
    service = await InProcessService.ready({ redis: redis.address });
    store = service.queue.fleet.flowStore();
  });
  afterEach(() => service.close());

  const keys = (): ReturnType<typeof flowKeys> => flowKeys(service.prefix, false);

  async function redisNow(): Promise<number> {
    const [seconds, micros] = await service.redis.time();
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }

  /** Every key of flow control, with its time to live in ms (-1 = for ever). */
  async function lifetimes(): Promise<Record<string, number>> {
    const found = await service.redis.keys(`${service.prefix}:flow:*`);
    return Object.fromEntries(await Promise.all(found.map(async (key) => [key.slice(service.prefix.length + 6), await service.redis.pttl(key)] as const)));
  }

  describe('changesSince', () => {
    const names = ({ changes }: Awaited<ReturnType<FlowStore['changesSince']>>): string[] => changes.map(({ kind, name }) => `${kind} ${name}`);

    it('tells everything at first, then what changed, then nothing', async () => {
      await store.setLimits('a', { maxConcurrency: 1 });
      await store.openCircuit('g', circuitAt(1));
      const first = await store.changesSince(-1);
      expect([first.isEverything, names(first).sort()]).to.deep.equal([true, ['circuit g', 'policy a']]);
      await store.setLimits('a', undefined);
      await store.pause('b', order());
      await store.closeCircuits(['g']);
      const next = await store.changesSince(first.version);
      const [, ofB] = next.changes;
      const since = ofB?.kind === 'policy' ? ofB.policy?.pause?.since : undefined;
      expect([next.isEverything, next.changes]).to.deep.equal([false, [
        { kind: 'policy', name: 'a', policy: undefined },
        { kind: 'policy', name: 'b', policy: { isPaused: true, pause: { since, by: anna } } },
        { kind: 'circuit', name: 'g', circuit: undefined },
      ]]);
      expect((await store.changesSince(next.version)).changes).to.deep.equal([]);
      expect(Math.abs(next.now - Date.now()), "Redis' clock").to.be.below(5_000);
    });

    it('tells everything to who knows more than Redis does: it has lost something', async () => {
      await store.setLimits('lost', { maxConcurrency: 1 });
      const { version } = await store.changesSince(-1);
      await service.redis.del(keys().controls, keys().changes, keys().version);
      const after = await store.changesSince(version);
      expect([after.isEverything, after.changes]).to.deep.equal([true, []]);
    });

    it('never gives a version again for another change, also when Redis has lost the first one before a worker asked', async () => {
      await store.setLimits('lost', { maxConcurrency: 1 });
      const { version } = await store.changesSince(-1);
      await service.redis.del(keys().controls, keys().changes, keys().version);
      await store.setLimits('new', { maxConcurrency: 2 });
      expect(names(await store.changesSince(version))).to.deep.equal(['policy new']);
    });

    it('tells everything to who knows a change that Redis has lost, though there is a newer one', async () => {
      await store.setLimits('kept', { maxConcurrency: 1 });
      const before = await store.changesSince(-1);
      await store.pause('lost', order());
      const { version } = await store.changesSince(before.version);
      // As after a kill -9, with the last second not written.
      await service.redis.hdel(keys().controls, 'p:lost');
      await service.redis.zrem(keys().changes, 'p:lost');
      await service.redis.zrem(keys().versions, String(version));
      await service.redis.set(keys().version, before.version);
      await store.setLimits('new', { maxConcurrency: 2 });
      const after = await store.changesSince(version);
      expect([after.isEverything, names(after).sort()]).to.deep.equal([true, ['policy kept', 'policy new']]);
      expect((await store.changesSince(before.version)).isEverything, 'a version that was kept').to.equal(false);
    });

    it('tells everything to who is behind more changes than are remembered', async () => {
      await store.setLimits('first', { maxConcurrency: 1 });
      const { version } = await store.changesSince(-1);
      await store.setLimits('first', undefined);
      const pipeline = service.redis.pipeline();
      for (let nth = 0; nth < 20_000; nth += 1) pipeline.zadd(keys().changes, version + 2 + nth, `p:filler-${nth}`);
      await pipeline.exec();
      await service.redis.set(keys().version, version + 20_001);
      await store.setLimits('last', { maxConcurrency: 1 });
      expect(await service.redis.zcard(keys().changes)).to.equal(20_000);
      const after = await store.changesSince(version);
      expect([after.isEverything, names(after)]).to.deep.equal([true, ['policy last']]);
    });
  });

  describe('pauses', () => {
    const policyOf = async (name: string): Promise<FlowPolicy | undefined> => (await store.snapshot([name])).policies.get(name);
    const stored = (name: string): Promise<string | null> => service.redis.hget(keys().controls, `p:${name}`);

    it('say who, why, since when and until when, by the clock of Redis', async () => {
      const before = await redisNow();
      expect(await store.pause('a', order({ until: before + 60_000, reason: 'it is down' }))).to.equal(true);
      const { isPaused, pause } = (await policyOf('a')) ?? {};
      expect([isPaused, pause?.until, pause?.by, pause?.reason]).to.deep.equal([true, before + 60_000, anna, 'it is down']);
      expect(pause?.since).to.be.within(before, await redisNow());
    });

    it('of a name that is paused already stay since then, and the rest is replaced', async () => {
      await store.pause('a', order({ until: (await redisNow()) + 60_000, reason: 'it is down' }));
      const first = await policyOf('a');
      await eventually(async () => expect(await redisNow()).to.be.above(first?.pause?.since ?? Infinity));
      const bob = { ...anna, operator: 'Bob' };
      await store.pause('a', order({ by: bob }));
      expect(await policyOf('a')).to.deep.equal({ isPaused: true, pause: { since: first?.pause?.since, by: bob } });
    });

    it('leave every digit of the limits as it was set, and limits leave them', async () => {
      for (const ratePerSecond of [0.3333333333333333, 0.1, 1 / 7, 999_999.999_999_999_9, 0.001, 1_000_000]) {
        const limits = { maxConcurrency: 100_000, ratePerSecond, burst: 3 };
        await store.setLimits('a', limits);
        await store.pause('a', order());
        expect(await policyOf('a')).to.deep.include(limits);
        await store.setLimits('a', { ...limits, burst: 4 });
        expect(await policyOf('a')).to.deep.include({ ...limits, burst: 4, isPaused: true });
        await store.resume('a');
        expect(await policyOf('a')).to.deep.equal({ ...limits, burst: 4 });
      }
    });

    it('refuse an end that has passed, and change nothing then', async () => {
      await store.setLimits('a', { maxConcurrency: 1 });
      expect(await store.pause('a', order({ until: await redisNow() }))).to.equal(false);
      expect(await policyOf('a')).to.deep.equal({ maxConcurrency: 1 });
    });

    it('are over at their end, also where no process has removed them', async () => {
      await store.setLimits('a', { maxConcurrency: 1 });
      await store.pause('a', order({ until: (await redisNow()) + 50 }));
      await store.pause('b', order({ until: (await redisNow()) + 50 }));
      expect(await store.removeEndedPause('a'), 'too early').to.equal(false);
      await eventually(async () => expect(await policyOf('a')).to.deep.equal({ maxConcurrency: 1 }));
      expect([...(await store.snapshotOfAll()).policies.keys()]).to.deep.equal(['a']);
      expect(await stored('a'), 'as workers of 0.1.0 see it').to.include('"isPaused":true');
      expect(await Promise.all(['a', 'a', 'b', 'c'].map((name) => store.removeEndedPause(name)))).to.deep.equal([true, false, true, false]);
      expect([await stored('a'), await stored('b')]).to.deep.equal(['{"maxConcurrency":1}', null]);
    });

    it('that are over begin anew when the name is paused again', async () => {
      await store.pause('a', order({ until: (await redisNow()) + 1 }));
      await eventually(async () => expect(await policyOf('a')).to.equal(undefined));
      const before = await redisNow();
      await store.pause('a', order());
      expect((await policyOf('a'))?.pause?.since).to.be.at.least(before);
    });

    it('of version 0.1.0 hold, keep their limits, and can be resumed', async () => {
      await service.redis.hset(keys().controls, 'p:a', '{"maxConcurrency":3,"isPaused":true}');
      expect(await policyOf('a')).to.deep.equal({ maxConcurrency: 3, isPaused: true });
      await store.setLimits('a', { maxConcurrency: 4 });
      expect(await policyOf('a')).to.deep.equal({ maxConcurrency: 4, isPaused: true });
      await store.pause('a', order({ reason: 'still' }));
      expect(await policyOf('a'), 'since when is not known').to.deep.equal({ maxConcurrency: 4, isPaused: true, pause: { by: anna, reason: 'still' } });
      await store.resume('a');
      expect(await policyOf('a')).to.deep.equal({ maxConcurrency: 4 });
    });

    it('are what version 0.1.0 takes for one', async () => {
      await store.setLimits('a', { ratePerSecond: 2.5 });
      await store.pause('a', order({ reason: 'a "quoted"\n\u{1f69a} / text' }));
      expect(JSON.parse((await stored('a')) ?? '')).to.deep.include({ ratePerSecond: 2.5, isPaused: true });
      expect((await policyOf('a'))?.pause?.reason).to.equal('a "quoted"\n\u{1f69a} / text');
      // That version clears the flag alone.
      await service.redis.hset(keys().controls, 'p:a', JSON.stringify({ ratePerSecond: 2.5, pause: (await policyOf('a'))?.pause }));
      expect((await policyOf('a'))?.isPaused).to.equal(undefined);
    });
  });

  describe('circuits', () => {
    it('of workers that open one at once the longest holds, and all are told', async () => {
      const opened = await Promise.all([1_000, 3_000, 2_000].map((until) => store.openCircuit('g', circuitAt(until))));
      expect(opened.map(({ until }) => until)).to.deep.equal([1_000, 3_000, 3_000]);
      expect((await store.snapshot(['g'])).circuits.get('g')).to.deep.equal(circuitAt(3_000));
    });

    it('lets one caller at a time probe, until it ends or its time is over', async () => {
      expect(await Promise.all(['a', 'b', 'c'].map((holder) => store.takeProbe('g', holder, 60_000)))).to.deep.equal(['mine', 'taken', 'taken']);
      await store.endProbe('g', 'b');
      expect(await store.takeProbe('g', 'b', 60_000), 'it was not his').to.equal('taken');
      await store.endProbe('g', 'a');
      expect(await store.takeProbe('g', 'b', 30), 'short').to.equal('mine');
      await eventually(async () => expect(await store.takeProbe('g', 'c', 60_000)).to.equal('mine'));
    });

    it('closes very many in few steps, and tells of each', async () => {
      const names = Array.from({ length: 1_200 }, (_, nth) => `https://a/${nth}`);
      // More than the versions that are remembered.
      await Promise.all([...names, 'other'].map((name) => store.openCircuit(name, circuitAt(1_000))));
      await service.redis.zremrangebyrank(keys().versions, 0, -2);
      const { version } = await store.changesSince(-1);
      const versions = await service.redis.zcard(keys().versions);
      await store.closeCircuits(names);
      expect(await service.redis.zcard(keys().versions) - versions, 'steps').to.equal(3);
      expect([...(await store.snapshotOfAll()).circuits.keys()]).to.deep.equal(['other']);
      const { isEverything, changes } = await store.changesSince(version);
      expect([isEverything, changes.length, new Set(changes.map(({ name }) => name)).size]).to.deep.equal([false, 1_200, 1_200]);
    });

    it('remembers who probed, and nothing of a circuit that was prolonged or closed meanwhile', async () => {
      const open = circuitAt(3_000);
      await store.openCircuit('g', open);
      const lastProbe = { task: 'order-1', at: 2_000, code: 'http_busy' } as const;
      await store.noteProbe('g', { ...open, lastProbe });
      await store.noteProbe('g', { ...circuitAt(1_000), lastProbe: { ...lastProbe, task: 'late' } });
      expect((await store.snapshot(['g'])).circuits.get('g')).to.deep.equal({ ...open, lastProbe });
      await store.closeCircuits(['g']);
      await store.noteProbe('g', { ...open, lastProbe });
      expect((await store.snapshot(['g'])).circuits.size).to.equal(0);
    });

    it('refuses a probe to who has not heard that the last one failed', async () => {
      const longer = circuitAt((await redisNow()) + 60_000);
      await store.openCircuit('g', longer);
      expect(await store.takeProbe('g', 'late', 60_000)).to.deep.equal(longer);
      await store.closeCircuits(['g']);
      expect(await store.takeProbe('g', 'late', 60_000)).to.equal('mine');
    });
  });

  describe('limits', () => {
    const acquire = (policy: FlowPolicy, jobIds: readonly string[], worker = 'w', leaseMs = 60_000): ReturnType<FlowStore['acquire']> => store.acquire('d', policy, worker, leaseMs, jobIds);

    it('gives as many places as there are, to the first that ask, and a place that is given back to the next', async () => {
      expect(await acquire({ maxConcurrency: 2 }, ['a', 'b', 'c'])).to.deep.equal({ granted: 2, waitMs: undefined, claimants: 1 });
      await store.release('d', 'a');
      expect(await acquire({ maxConcurrency: 2 }, ['c', 'd'])).to.include({ granted: 1 });
      await store.release('d', 'unknown');
      expect(await acquire({ maxConcurrency: 2 }, ['d'])).to.include({ granted: 0 });
    });

    it('keeps one place for a job that asks twice: its worker died', async () => {
      await acquire({ maxConcurrency: 2 }, ['a', 'b']);
      expect(await acquire({ maxConcurrency: 2 }, ['a'], 'other')).to.include({ granted: 1 });
      expect(await service.redis.zcard(keys().leases('d'))).to.equal(2);
    });

    it('a place that is not given back lapses', async () => {
      expect(await acquire({ maxConcurrency: 1 }, ['a'], 'dies', 1_000)).to.include({ granted: 1 });
      expect(await acquire({ maxConcurrency: 1 }, ['b'])).to.include({ granted: 0 });
      await eventually(async () => expect(await acquire({ maxConcurrency: 1 }, ['b'])).to.include({ granted: 1 }));
    });

    it('never grants more in any second than the rate and a twentieth, by the clock of Redis', async () => {
      const grants: number[] = [];
      const until = performance.now() + 2_000;
      // Two that ask as fast as they can.
      await Promise.all(['v', 'w'].map(async (worker) => {
        for (let nth = 0; performance.now() < until; nth += 1) {
          const { granted } = await acquire({ ratePerSecond: 100 }, [`${worker}${nth}`, `${worker}${nth}b`], worker);
          const at = await redisNow();
          grants.push(...Array.from({ length: granted }, () => at));
        }
      }));
      expect(grants.length / 2).to.be.within(90, 108);
      for (const from of grants) expect(grants.filter((at) => at >= from && at < from + 1_000).length).to.be.at.most(108);
    });

    it('says when the next may start', async () => {
      expect(await acquire({ ratePerSecond: 2 }, ['a', 'b'])).to.include({ granted: 1 });
      const { granted, waitMs } = await acquire({ ratePerSecond: 2 }, ['b']);
      expect([granted, (waitMs ?? 0) > 300 && (waitMs ?? 0) <= 500]).to.deep.equal([0, true]);
    });

    it('lets a burst start at once after a lull, and not a second one', async () => {
      const jobIds = Array.from({ length: 30 }, (_, nth) => `j${nth}`);
      expect(await acquire({ ratePerSecond: 1, burst: 20 }, jobIds)).to.include({ granted: 20 });
      expect(await acquire({ ratePerSecond: 1, burst: 20 }, jobIds)).to.include({ granted: 0 });
      expect(await service.redis.pttl(keys().pace('d')), 'remembered until the burst is earned again').to.be.above(60_000 + 15_000);
    });

    it('a faster rate holds at once, however long the slower one would have made it wait', async () => {
      expect(await acquire({ ratePerSecond: 0.01 }, ['a'])).to.include({ granted: 1 });
      expect((await acquire({ ratePerSecond: 0.01 }, ['b'])).waitMs).to.be.above(90_000);
      expect((await acquire({ ratePerSecond: 100 }, ['b'])).waitMs).to.be.at.most(10);
      await eventually(async () => expect(await acquire({ ratePerSecond: 100 }, ['b'])).to.include({ granted: 1 }));
    });

    it('keeps both limits, and shares what is left among the workers that ask', async () => {
      const policy = { maxConcurrency: 6, ratePerSecond: 1_000, burst: 100 };
      expect(await store.room('d', policy, 'v', 250)).to.equal(6);
      expect(await acquire(policy, ['a', 'b'], 'w')).to.include({ granted: 2, claimants: 2 });
      expect(await store.room('d', policy, 'w', 250)).to.equal(2);
      expect(await acquire(policy, ['c', 'd', 'e', 'f', 'g'])).to.include({ granted: 4 });
      expect(await store.room('d', policy, 'w', 250)).to.equal(0);
      expect(await store.room('d', { ratePerSecond: 1_000 }, 'w', 0), 'by the pace: nothing now').to.be.at.most(30);
    });

    it('of a destination without limits has room for any number', async () => {
      expect(await store.room('d', {}, 'w', 250)).to.equal(Infinity);
    });
  });

  it('tells what workers report, and forgets those that have stopped', async () => {
    await store.putReport('a', 'of a');
    await store.putReport('b', 'of b');
    expect(await store.reports()).to.have.deep.members([{ worker: 'a', report: 'of a' }, { worker: 'b', report: 'of b' }]);
    await service.redis.pexpire(keys().report('a'), 1);
    await service.redis.zadd(keys().workers, (await redisNow()) - 6_000, 'b');
    await eventually(async () => expect(await store.reports()).to.deep.equal([{ worker: 'a', report: undefined }]));
    await service.redis.zadd(keys().workers, (await redisNow()) - 600_001, 'b');
    await store.putReport('a', 'again');
    expect(await service.redis.zcard(keys().workers)).to.equal(1);
  });

  it('tells of a silent worker what it wrote down of itself, its LOCK_DURATION beside what older versions read', async () => {
    const life = { startedAt: 1, spell: { since: 2, masters: 'a1,b2' } };
    const lifeOf = async (name: string): Promise<unknown> => (await store.silentWorkers({ min: 0, max: 60_000 })).silent.find((each) => each.name === name)?.life;
    for (const [worker, lock] of [['tells', { lockMs: 15_000 }], ['older', {}]] as const) {
      await store.putReport(worker, '[]');
      await store.silentWorkers({ min: 4_000, max: 60_000 }, { worker, life: { ...life, ...lock } });
      expect(await lifeOf(worker), worker).to.deep.equal({ ...life, ...lock });
      expect(await service.redis.get(keys().life(worker))).to.equal('1 2 a1,b2');
    }
    expect(await Promise.all([keys().life('tells'), keys().lockTime('tells')].map(async (key) => (await service.redis.pttl(key)) > 1))).to.deep.equal([true, true]);
  });

  it('leaves nothing of a destination for ever but what an operator set', async () => {
    await store.setLimits('d', { maxConcurrency: 1, ratePerSecond: 5 });
    await store.acquire('d', { maxConcurrency: 1, ratePerSecond: 5 }, 'w', 30_000, ['a']);
    await store.room('d', { maxConcurrency: 1 }, 'w', 250);
    await store.takeProbe('d', 'w', 30_000);
    await store.putReport('w', '[]');
    const { controls, changes, version, versions, workers, ...rest } = await lifetimes();
    expect([controls, changes, version, versions, workers]).to.deep.equal([-1, -1, -1, -1, -1]);
    expect(Object.keys(rest).sort()).to.deep.equal(['claims:d', 'leases:d', 'pace:d', 'probe:d', 'report:w']);
    for (const [key, ttl] of Object.entries(rest)) expect(ttl, key).to.be.within(1, 120_000);
  });

  it('works on a Redis that has forgotten all scripts', async () => {
    await store.setLimits('d', { maxConcurrency: 1 });
    await service.redis.script('FLUSH');
    expect(await store.acquire('d', { maxConcurrency: 1 }, 'w', 30_000, ['a'])).to.include({ granted: 1 });
    expect((await store.changesSince(-1)).changes).to.have.lengthOf(1);
  });

  it('knows the hosts whose paths are hidden where Redis is full, and where it takes no writes', async () => {
    // The API of this test lists hosts, too.
    const known = async (own: readonly string[]): Promise<readonly string[]> => (await store.shareSecretPathHosts(own)).filter((host) => host.endsWith('.example')).sort();
    expect(await known(['a.example'])).to.deep.equal(['a.example']);
    await service.redis.call('CONFIG', 'SET', 'maxmemory', '1');
    expect(await known(['b.example']), 'full').to.deep.equal(['a.example', 'b.example']);
    await service.redis.call('CONFIG', 'SET', 'maxmemory', '0');
    await service.redis.call('CONFIG', 'SET', 'min-replicas-to-write', '1');
    expect(await known(['c.example']), 'NOREPLICAS').to.deep.equal(['a.example', 'b.example']);
    await service.redis.call('CONFIG', 'SET', 'min-replicas-to-write', '0');
    expect(await known(Array.from({ length: 2_500 }, (_, nth) => `${nth}.example`))).to.have.lengthOf(2_502);
  });
});

function circuitAt(until: number): Circuit {
  return { openedAt: 1, until, coolMs: 2_000, reason: 'failures' };
}
