import { expect } from 'chai';

import { Ledger } from '../chaos/ledger.js';
import { profile } from '../chaos/profile.js';
import { scenario, type Scene } from '../chaos/scenario.js';
import { aclRule } from '../../shared/redis/redis-rights.js';
import { eventually } from '../support/eventually.js';
import { createReceiver } from '../support/receiver.js';
import type { Settings } from '../support/service.js';
import { MASTER_NAME, SentinelRedis } from '../support/sentinel-redis.js';
import { LOCKS } from './locks.js';

/** How long nothing may be acknowledged in a planned failover whose sentinels look often, ms. */
const MOST_REFUSING_MS = profile.name === 'long' ? 3_000 : 6_000;
const ROUNDS = profile.name === 'long' ? 5 : 1;

/**
 * The master is replaced under load, once (five times in the long form).
 * @param replace begins it, and resolves when the old master may come back as a replica
 * @param maxLost acknowledged tasks that may be gone after one failover
 * @param userOfNodes settings of each node: a user of its own is not replicated
 * @param mostRefusingMs how long nothing may be acknowledged
 */
async function replaceMaster(scene: Scene, replace: (redis: SentinelRedis) => Promise<() => Promise<void>>, maxLost: number, settings: Settings = {}, userOfNodes: readonly string[] = [], mostRefusingMs = Infinity): ReturnType<Parameters<typeof scenario>[2]> {
  const redis = await SentinelRedis.start(userOfNodes);
  scene.onClose(() => redis.close());
  const receiver = await createReceiver();
  scene.onClose(() => receiver.close());
  const { service, crew } = await scene.staff({ workers: 2, settings: { ...LOCKS, ...settings, REDIS_MODE: 'sentinel', REDIS_MASTER_NAME: MASTER_NAME, REDIS_SENTINEL_ADDRS: redis.sentinelAddresses } });
  const ledger = new Ledger(receiver, service);
  let nth = 0;
  const stopLoad = ledger.startLoad(100, () => ledger.task({ max_retries: 3, initial_delay: ((nth += 1) % 20) / 10 }));
  const acknowledges = async (more: number): Promise<void> => {
    const before = ledger.acked.size;
    await eventually(() => { expect(ledger.acked.size).to.be.at.least(before + more); }, { withinMs: 30_000 });
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    await acknowledges(100);
    const old = await redis.master();
    const bringBack = await replace(redis);
    await eventually(async () => { expect((await redis.master()).address).not.to.deep.equal(old.address); }, { withinMs: 40_000, everyMs: 100 });
    await acknowledges(100);
    await bringBack();
    await redis.isWhole(60_000);
  }
  ledger.faultIsOver();
  await stopLoad();
  // What the new master never got: replication does not wait.
  const received = new Set([...ledger.acked].filter((id) => ledger.accepted(id).delivered > 0));
  const gone = new Set([...(await ledger.unknown())].filter((id) => !received.has(id)));
  const measured = await ledger.settle({ withinMs: 60_000, gone });
  expect(gone.size, 'acknowledged, and on no server').to.be.at.most(maxLost * ROUNDS);
  expect(measured.delivered).to.equal(measured.acked - gone.size);
  expect(crew.restarts, 'workers that ended').to.equal(0);
  const refusingMs = longestWithoutAck(ledger);
  expect(refusingMs, 'ms in which nothing was acknowledged').to.be.at.most(mostRefusingMs);
  return { ...measured, note: `failovers: ${ROUNDS}; nothing accepted for at most ${(refusingMs / 1_000).toFixed(1)} s` };
}

/** The longest time between two answers that acknowledged a task, ms. */
function longestWithoutAck({ posts, acked }: Ledger): number {
  const at = posts.filter(({ id }) => acked.has(id)).map((post) => post.at + post.ms).sort((a, b) => a - b);
  return Math.max(...at.slice(1).map((time, nth) => time - (at[nth] ?? time)));
}

describe('topology: Redis Sentinel', () => {
  scenario('21a', 'the master behind three sentinels killed with kill -9 under load', (scene) =>
    replaceMaster(scene, async (redis) => {
      const master = await redis.master();
      await master.kill();
      return () => master.restart();
    }, 3), { longMs: 600_000 });

  scenario('21b', 'the master behind three sentinels moved on purpose under load (SENTINEL FAILOVER)', (scene) =>
    replaceMaster(scene, async (redis) => {
      await redis.failOver();
      return async () => undefined;
    // Under the user of docs/OPERATIONS.md, which each node has of its own.
    }, 3, { REDIS_USERNAME: 'retry-service', REDIS_PASSWORD: 'of-few-rights', QUEUE_PREFIX: 'bull' }, ['--user', 'retry-service', 'on', '>of-few-rights', ...aclRule('bull')]), { longMs: 600_000 });

  scenario('21c', 'the same with REDIS_MIN_REPLICAS=2, the number of all replicas: nothing is lost', (scene) =>
    replaceMaster(scene, async (redis) => {
      await redis.failOver();
      return async () => undefined;
    }, 0, { REDIS_MIN_REPLICAS: '2' }), { longMs: 600_000, isLongOnly: true });

  scenario('21e', 'the same after the sentinels were told to look often (SENTINEL DEBUG): nothing is accepted for 3 s at most', (scene) =>
    replaceMaster(scene, async (redis) => {
      await redis.lookOften();
      await redis.failOver();
      return async () => undefined;
    }, 0, { REDIS_MIN_REPLICAS: '2' }, [], MOST_REFUSING_MS), { longMs: 600_000 });
});
