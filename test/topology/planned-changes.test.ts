import { expect } from 'chai';

import { profile } from '../chaos/profile.js';
import { scenario, type Scene } from '../chaos/scenario.js';
import { queuePrefix } from '../../shared/queue/names.js';
import { eventually } from '../support/eventually.js';
import type { PrivateRedis } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { MASTER_NAME, SentinelRedis } from '../support/sentinel-redis.js';
import { underLoad } from './under-load.js';

const SHARDS = 16;
const SETTINGS = { REDIS_MODE: 'cluster' };

/** A new node, and a third of the slots that have tasks (in the long form all of them, and all but one back). */
async function growAndShrink(scene: Scene): ReturnType<Parameters<typeof scenario>[2]> {
  const cluster = await RedisCluster.start();
  scene.onClose(() => cluster.close());
  const { measured } = await underLoad(scene, { ...SETTINGS, REDIS_CLUSTER_ADDRS: cluster.addresses }, async ({ prefix, acknowledges }) => {
    const joined = await cluster.join();
    const owners = new Map<number, PrivateRedis>();
    for (const key of [...Array.from({ length: SHARDS }, (_shard, shard) => queuePrefix(prefix, shard, true)), `{${prefix}-flow}`]) {
      const { slot, owner } = await cluster.ownerOf(key);
      owners.set(slot, owner);
    }
    const moved = [...owners].filter((_slot, nth) => profile.name === 'long' || nth % 3 === 0);
    for (const [slot, owner] of moved) await cluster.moveSlot(slot, owner, joined);
    await acknowledges(60);
    // A master that gives its last slot away becomes a replica.
    const back = profile.name === 'long' ? moved.slice(1) : [];
    for (const [slot, owner] of back) await cluster.moveSlot(slot, joined, owner);
    await cluster.isWhole();
    return `slots moved: ${moved.length}, and back: ${back.length}`;
  });
  return measured;
}

/** SIGTERM and a new start of each node in turn: first replicas, then masters, each after its replica has taken over, or as it is. */
async function restartAll(scene: Scene, how: 'after its replica has taken over' | 'as it is'): ReturnType<Parameters<typeof scenario>[2]> {
  const cluster = await RedisCluster.start();
  scene.onClose(() => cluster.close());
  const { measured } = await underLoad(scene, { ...SETTINGS, REDIS_CLUSTER_ADDRS: cluster.addresses }, async ({ acknowledges }) => {
    const masters = await cluster.masters();
    const replicas = cluster.nodes.filter((node) => !masters.includes(node));
    for (const node of [...replicas, ...masters]) {
      if (how !== 'as it is' && masters.includes(node)) await cluster.takeOver(await cluster.replicaOf(node));
      await node.shutDown();
      await node.restart();
      await cluster.isWhole();
      await acknowledges(30);
    }
    return `nodes restarted: ${cluster.nodes.length}`;
  });
  return measured;
}

/**
 * SIGTERM and a new start of each node behind the sentinels: first the replicas, then the master, after another one was made master. Each
 * submission waits for all replicas, so while one of them is away submissions are refused, and none that was accepted is lost.
 */
async function restartAllBehindSentinels(scene: Scene): ReturnType<Parameters<typeof scenario>[2]> {
  const redis = await SentinelRedis.start();
  scene.onClose(() => redis.close());
  const settings = { REDIS_MODE: 'sentinel', REDIS_MASTER_NAME: MASTER_NAME, REDIS_SENTINEL_ADDRS: redis.sentinelAddresses, REDIS_MIN_REPLICAS: String(redis.nodes.length - 1) };
  const { measured } = await underLoad(scene, settings, async ({ acknowledges }) => {
    const master = await redis.master();
    for (const node of [...redis.nodes.filter((each) => each !== master), master]) {
      if (node === master) {
        await redis.failOver();
        await eventually(async () => { expect((await redis.master()).address).not.to.deep.equal(master.address); }, { withinMs: 40_000, everyMs: 100 });
        await redis.isWhole(60_000);
      }
      await node.shutDown();
      await node.restart();
      await redis.isWhole(60_000);
      await acknowledges(30);
    }
    return `nodes restarted: ${redis.nodes.length}`;
  });
  return measured;
}

describe('topology: Redis is changed on purpose under load', () => {
  scenario('20f', 'a node joins a cluster (3+3) under load, and slots with tasks move to it', growAndShrink, { longMs: 300_000 });

  for (const [nth, how] of (['after its replica has taken over', 'as it is'] as const).entries()) {
    scenario(`20g.${nth + 1}`, `all nodes of a cluster (3+3) restarted in turn under load, a master ${how}`, (scene) => restartAll(scene, how), { longMs: 300_000, isLongOnly: how === 'as it is' });
  }

  scenario('21d', 'all three nodes behind three sentinels restarted in turn under load, the master after another one has taken over, with REDIS_MIN_REPLICAS=2', restartAllBehindSentinels, { longMs: 300_000, isLongOnly: true });
});
