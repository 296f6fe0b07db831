import { expect } from 'chai';

import { Ledger } from '../chaos/ledger.js';
import { scenario, type Scene } from '../chaos/scenario.js';
import { queueName, queuePrefix, shardOf } from '../../shared/queue/names.js';
import { eventually } from '../support/eventually.js';
import { createReceiver } from '../support/receiver.js';
import type { PrivateRedis } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { uniqueId } from '../support/tasks.js';
import { ServedSlots } from './served.js';

const SHARDS = 16;
const GOES_ON_WITHIN_MS = 5_000;
/** Of each shard, a second. */
const TASKS_PER_SECOND = 5;
const seconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count * 1_000));

interface Trouble {
  readonly cluster: RedisCluster;
  /** A master with tasks. */
  readonly victim: PrivateRedis;
  /** Its replica. */
  readonly heir: PrivateRedis;
  /** Another master. */
  readonly other: PrivateRedis;
  /** Slots of the victim that have a shard. */
  readonly slots: readonly number[];
}

/** Each makes its trouble and takes it back. */
const troubles: Readonly<Record<string, (trouble: Trouble) => Promise<void>>> = {
  'killed': async ({ victim }) => {
    await victim.kill();
    await seconds(6);
    await victim.restart();
  },
  'frozen for 1 s': ({ victim }) => frozen(victim, 1),
  'frozen for 5 s': ({ victim }) => frozen(victim, 5),
  'frozen for 60 s': ({ victim }) => frozen(victim, 60),
  'replaced by hand': async ({ cluster, heir }) => {
    await cluster.takeOver(heir);
    await seconds(2);
  },
  'demoted and back': async ({ cluster, heir, victim }) => {
    await cluster.takeOver(heir);
    await seconds(2);
    await cluster.isWhole();
    await cluster.takeOver(victim);
    await seconds(2);
  },
  'beside a second master': async ({ cluster, heir, victim }) => {
    await victim.freeze();
    await cluster.takeOver(heir, 'TAKEOVER');
    victim.thaw();
    await seconds(2);
  },
  'with its slots moved fast': async ({ cluster, victim, other, slots }) => {
    for (const slot of slots) await cluster.moveSlot(slot, victim, other);
  },
  'with its slots moved slowly': async ({ cluster, victim, other, slots }) => {
    for (const slot of slots.slice(0, 2)) await cluster.moveSlot(slot, victim, other, { pauseMs: 3_000 });
  },
  'with its links cut one by one': async ({ cluster, victim }) => {
    await cluster.cutLinks(victim);
  },
};

async function frozen(victim: PrivateRedis, forSeconds: number): Promise<void> {
  await victim.freeze();
  await seconds(forSeconds);
  victim.thaw();
}

/** @param names of the troubles, one after the other in one cluster */
async function goesOn(scene: Scene, names: readonly string[]): ReturnType<Parameters<typeof scenario>[2]> {
  const cluster = await RedisCluster.start({ masters: 3, replicas: 3, settings: ['--cluster-require-full-coverage', 'no'] });
  scene.onClose(() => cluster.close());
  const receiver = await createReceiver();
  scene.onClose(() => receiver.close());
  const { service, crew } = await scene.staff({ workers: 2, settings: { ENVIRONMENT: 'prod', LOCK_DURATION: '10s', STALL_CHECK_INTERVAL: '1s', REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses } });
  const ledger = new Ledger(receiver, service);
  const keyOf = (shard: number): string => `${queuePrefix(service.prefix, shard, true)}:${queueName(shard)}:probe`;
  const served = new ServedSlots(cluster.nodes, Array.from({ length: SHARDS }, (_, shard) => keyOf(shard)));
  scene.onClose(async () => { served.close(); });
  /** When a task was acknowledged, ms since the epoch. */
  const ackedAt = new Map<string, number>();
  const arrivedAt = new Map<string, number>();
  ledger.on('/hook', ({ taskId }) => {
    if (!arrivedAt.has(taskId)) arrivedAt.set(taskId, Date.now());
    return { kind: 'answer' };
  });
  let nth = 0;
  const idOf = (shard: number): string => {
    for (;;) {
      const id = uniqueId('stuck');
      if (shardOf(id, SHARDS) === shard) return id;
    }
  };
  const load = new Set<Promise<unknown>>();
  const timer = setInterval(() => {
    const task = ledger.task({ id: idOf((nth += 1) % SHARDS), max_retries: 3 });
    const posting: Promise<unknown> = ledger.submit(task).then(({ status }) => { if (status === 201) ackedAt.set(task.id, Date.now()); }).finally(() => load.delete(posting));
    load.add(posting);
  }, 1_000 / TASKS_PER_SECOND / SHARDS);
  scene.onClose(async () => { clearInterval(timer); });
  /** Each worker has sent a task of each shard after a time. */
  const workersOn = async (): Promise<void> => {
    const from = crew.members.map(({ output }) => output.length);
    const startedAt = Date.now();
    await eventually(() => {
      const missing = crew.members.flatMap((worker, at) => {
        const sent = new Set([...worker.output.slice(from[at]).matchAll(/"task_id":"(stuck-[^"]+)"/g)].map(([, id = '']) => shardOf(id, SHARDS)));
        return Array.from({ length: SHARDS }, (_, shard) => shard).filter((shard) => !sent.has(shard)).map((shard) => `worker ${at} of shard ${shard}`);
      });
      expect(missing, 'has sent nothing').to.deep.equal([]);
    }, { withinMs: GOES_ON_WITHIN_MS + 3_000, everyMs: 50 });
    notes.push(`all on all after ${Date.now() - startedAt} ms`);
  };
  const notes: string[] = [];
  const failures: string[] = [];
  await eventually(() => { expect(served.areAll).to.equal(true); });
  for (const name of names) {
    const trouble = troubles[name];
    if (trouble === undefined) throw new Error(`there is no trouble ${name}`);
    await seconds(2);
    const masters = await cluster.masters();
    const shardsOf = new Map<PrivateRedis, number[]>();
    for (let shard = 0; shard < SHARDS; shard += 1) {
      const { slot, owner } = await cluster.ownerOf(keyOf(shard));
      shardsOf.set(owner, [...(shardsOf.get(owner) ?? []), slot]);
    }
    const [victim, other] = [...masters].sort((a, b) => (shardsOf.get(b)?.length ?? 0) - (shardsOf.get(a)?.length ?? 0));
    if (victim === undefined || other === undefined) throw new Error('there are not two masters');
    const heir = await cluster.replicaOf(victim);
    const beganAt = Date.now();
    await trouble({ cluster, victim, other, heir, slots: shardsOf.get(victim) ?? [] });
    await eventually(() => { expect(served.areAll).to.equal(true); }, { withinMs: 30_000 });
    await workersOn();
    await eventually(() => {
      const open = [...ackedAt].filter(([id, at]) => at < Date.now() - 3_000 && !arrivedAt.has(id));
      expect(open.map(([id]) => `${id} of shard ${shardOf(id, SHARDS)}`)).to.deep.equal([]);
    }, { withinMs: 30_000 });
    const late = [...ackedAt].filter(([, at]) => at > beganAt - 2_000).map(([id, at]) => {
      const shard = shardOf(id, SHARDS);
      return { shard, ms: (arrivedAt.get(id) ?? Date.now()) - Math.max(at, served.since(keyOf(shard))) };
    });
    const worst = late.reduce((most, each) => (each.ms > most.ms ? each : most));
    notes.push(`${name}: ${worst.ms} ms`);
    if (worst.ms > GOES_ON_WITHIN_MS) failures.push(`${name}: shard ${worst.shard} went on after ${worst.ms} ms`);
    await cluster.isWhole(90_000);
  }
  clearInterval(timer);
  await Promise.all(load);
  ledger.faultIsOver();
  const measured = await ledger.settle({ withinMs: 60_000 });
  expect(failures).to.deep.equal([]);
  return { ...measured, note: notes.join('; ') };
}
describe('topology: a Cluster in trouble', () => {
  scenario('20e', `a master of a cluster (3+3) is ${Object.keys(troubles).join(', ')}: each shard goes on within 5 s on every worker`, (scene) => goesOn(scene, Object.keys(troubles)), { isLongOnly: true, longMs: 900_000 });
});
