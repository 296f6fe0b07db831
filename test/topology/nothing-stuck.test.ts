import { expect } from 'chai';

import { Ledger } from '../chaos/ledger.js';
import { scenario, type Scene } from '../chaos/scenario.js';
import { queueName, queuePrefix, shardOf } from '../../shared/queue/names.js';
import { eventually } from '../support/eventually.js';
import { idInShard } from '../support/id-in-shard.js';
import { createReceiver } from '../support/receiver.js';
import type { PrivateRedis } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import type { ServiceProcess, Settings } from '../support/service.js';
import { getTaskAnswer } from '../support/tasks.js';
import { ServedSlots } from './served.js';

const SHARDS = 16;
const ROUNDS = 5;
const GOES_ON_WITHIN_MS = 5_000;
/** Of each shard, a second. */
const TASKS_PER_SECOND = 5;
const LOOK_EVERY_MS = 50;
const seconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count * 1_000));

interface Scenery {
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

interface Trouble {
  /** Makes the trouble and takes it back. */
  readonly make: (scenery: Scenery) => Promise<void>;
  /** A master that is replaced may have acknowledged what its replica had not yet: in one round. */
  readonly mayLose?: number;
  readonly settings?: Settings;
}

const troubles: Readonly<Record<string, Trouble>> = {
  'killed': {
    make: async ({ victim }) => {
      await victim.kill();
      await seconds(6);
      await victim.restart();
    },
    mayLose: 1,
  },
  'frozen for 1 s': { make: ({ victim }) => frozen(victim, 1) },
  'frozen for 5 s': { make: ({ victim }) => frozen(victim, 5), mayLose: 1 },
  'frozen for 60 s': { make: ({ victim }) => frozen(victim, 60), mayLose: 1 },
  'replaced by hand': {
    make: async ({ cluster, heir }) => {
      await cluster.takeOver(heir);
      await seconds(2);
    },
  },
  'demoted and back': {
    make: async ({ cluster, heir, victim }) => {
      await cluster.takeOver(heir);
      await seconds(2);
      await cluster.isWhole();
      await cluster.takeOver(victim);
      await seconds(2);
    },
  },
  'beside a second master, with REDIS_MIN_REPLICAS=1': {
    make: async ({ cluster, heir, victim }) => {
      await victim.freeze();
      await cluster.takeOver(heir, 'TAKEOVER');
      victim.thaw();
      await seconds(2);
    },
    // When the old master thaws, it acknowledges what stands in its sockets, and drops that when it hears of the other.
    settings: { REDIS_MIN_REPLICAS: '1' },
  },
  'left by its slots fast': {
    make: async ({ cluster, victim, other, slots }) => {
      for (const slot of slots) await cluster.moveSlot(slot, victim, other);
    },
  },
  'left by its slots slowly': {
    make: async ({ cluster, victim, other, slots }) => {
      for (const slot of slots.slice(0, 2)) await cluster.moveSlot(slot, victim, other, { pauseMs: 3_000 });
    },
  },
  'cut off link by link': { make: ({ cluster, victim }) => cluster.cutLinks(victim) },
};

async function frozen(victim: PrivateRedis, forSeconds: number): Promise<void> {
  await victim.freeze();
  await seconds(forSeconds);
  victim.thaw();
}

/** When each worker sent tasks of each shard, by what it logs. */
class SentByWorkers {
  readonly #read = new Map<ServiceProcess, number>();
  readonly #at = new Map<ServiceProcess, number[][]>();
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly workers: () => readonly ServiceProcess[]) {
    this.#timer = setInterval(() => { for (const worker of workers()) this.#look(worker); }, LOOK_EVERY_MS);
  }

  /** How long after a time each worker sent a task of a shard, ms; undefined: it has not. */
  after(shard: number, since: number): (number | undefined)[] {
    return this.workers().map((worker) => {
      const at = this.#at.get(worker)?.[shard]?.find((each) => each >= since);
      return at === undefined ? undefined : at - since;
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(worker: ServiceProcess): void {
    const { output } = worker;
    const end = output.lastIndexOf('\n') + 1;
    const now = Date.now();
    const at = this.#at.get(worker) ?? Array.from({ length: SHARDS }, () => []);
    this.#at.set(worker, at);
    for (const [, id = ''] of output.slice(this.#read.get(worker) ?? 0, end).matchAll(/"task_id":"(stuck-[^"]+)"/g)) at[shardOf(id, SHARDS)]?.push(now);
    this.#read.set(worker, end);
  }
}

/** The trouble comes again and again under load, each time to the master with the most shards. */
async function goesOn(scene: Scene, { make, mayLose = 0, settings = {} }: Trouble): ReturnType<Parameters<typeof scenario>[2]> {
  const cluster = await RedisCluster.start({ masters: 3, replicas: 3, settings: ['--cluster-require-full-coverage', 'no'] });
  scene.onClose(() => cluster.close());
  const receiver = await createReceiver();
  scene.onClose(() => receiver.close());
  const { service, crew } = await scene.staff({ workers: 2, settings: { ENVIRONMENT: 'prod', LOCK_DURATION: '10s', STALL_CHECK_INTERVAL: '1s', REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, ...settings } });
  const ledger = new Ledger(receiver, service);
  const keyOf = (shard: number): string => `${queuePrefix(service.prefix, shard, true)}:${queueName(shard)}:probe`;
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
  const served = new ServedSlots(cluster.nodes, shards.map(keyOf));
  scene.onClose(async () => { served.close(); });
  const sent = new SentByWorkers(() => crew.members);
  scene.onClose(async () => { sent.close(); });
  /** When a task was acknowledged, ms since the epoch. */
  const ackedAt = new Map<string, number>();
  const arrivedAt = new Map<string, number>();
  ledger.on('/hook', ({ taskId }) => {
    if (!arrivedAt.has(taskId)) arrivedAt.set(taskId, Date.now());
    return { kind: 'answer' };
  });
  let nth = 0;
  const load = new Set<Promise<unknown>>();
  const timer = setInterval(() => {
    const task = ledger.task({ id: idInShard((nth += 1) % SHARDS, SHARDS, 'stuck'), max_retries: 3 });
    const posting: Promise<unknown> = ledger.submit(task).then(({ status }) => { if (status === 201) ackedAt.set(task.id, Date.now()); }).finally(() => load.delete(posting));
    load.add(posting);
  }, 1_000 / TASKS_PER_SECOND / SHARDS);
  scene.onClose(async () => { clearInterval(timer); });
  const gone = new Set<string>();
  const worst = { task: 0, worker: 0 };
  const failures: string[] = [];
  await eventually(() => { expect(served.areAll).to.equal(true); });
  for (let round = 1; round <= ROUNDS; round += 1) {
    await seconds(2);
    const slotsOf = new Map<PrivateRedis, number[]>();
    for (const shard of shards) {
      const { slot, owner } = await cluster.ownerOf(keyOf(shard));
      slotsOf.set(owner, [...(slotsOf.get(owner) ?? []), slot]);
    }
    const [victim, other] = [...(await cluster.masters())].sort((a, b) => (slotsOf.get(b)?.length ?? 0) - (slotsOf.get(a)?.length ?? 0));
    if (victim === undefined || other === undefined) throw new Error('there are not two masters');
    const heir = await cluster.replicaOf(victim);
    const beganAt = Date.now();
    await make({ cluster, victim, other, heir, slots: slotsOf.get(victim) ?? [] });
    await eventually(() => { expect(served.areAll).to.equal(true); }, { withinMs: 30_000 });
    const servedSince = (shard: number): number => Math.max(served.since(keyOf(shard)), beganAt);
    const late = new Map<string, number | undefined>();
    await eventually(() => {
      for (const shard of shards) for (const [worker, ms] of sent.after(shard, servedSince(shard)).entries()) late.set(`worker ${worker} shard ${shard}`, ms);
      expect([...late].flatMap(([who, ms]) => (ms === undefined ? [who] : [])), `round ${round}: has sent nothing`).to.deep.equal([]);
    }, { withinMs: 30_000, everyMs: LOOK_EVERY_MS });
    for (const [who, ms = Infinity] of late) {
      worst.worker = Math.max(worst.worker, ms);
      if (ms > GOES_ON_WITHIN_MS) failures.push(`round ${round}: ${who} after ${ms} ms`);
    }
    await eventually(async () => {
      const open = [...ackedAt].filter(([id, at]) => at < Date.now() - 3_000 && !arrivedAt.has(id) && !gone.has(id));
      for (const [id] of open) if ((await getTaskAnswer(service.baseUrl, id)).status === 404) gone.add(id);
      expect(open.map(([id]) => `${id} of shard ${shardOf(id, SHARDS)}`), `round ${round}: have not arrived`).to.deep.equal([]);
    }, { withinMs: 30_000 });
    for (const [id, at] of ackedAt) {
      if (at < beganAt - 2_000 || gone.has(id)) continue;
      const ms = (arrivedAt.get(id) ?? Date.now()) - Math.max(at, servedSince(shardOf(id, SHARDS)));
      worst.task = Math.max(worst.task, ms);
      if (ms > GOES_ON_WITHIN_MS) failures.push(`round ${round}: ${id} of shard ${shardOf(id, SHARDS)} arrived after ${ms} ms`);
    }
    await cluster.isWhole(90_000);
  }
  clearInterval(timer);
  await Promise.all(load);
  ledger.faultIsOver();
  const measured = await ledger.settle({ withinMs: 60_000, gone });
  expect(failures).to.deep.equal([]);
  expect(gone.size, 'acknowledged, and on no server').to.be.at.most(mayLose * ROUNDS);
  expect(crew.restarts, 'workers that ended').to.equal(0);
  return { ...measured, note: `slowest task after ${worst.task} ms, slowest worker of a shard after ${worst.worker} ms` };
}

describe('topology: a Cluster in trouble', () => {
  for (const [nth, [name, trouble]] of Object.entries(troubles).entries()) {
    scenario(`20e.${nth + 1}`, `a master of a cluster (3+3) is ${name}; ${ROUNDS} times: each shard goes on within 5 s on every worker`, (scene) => goesOn(scene, trouble), { isLongOnly: true, longMs: 900_000 });
  }
});
