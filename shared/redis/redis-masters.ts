import { isCluster, type RedisClient } from './redis-connection.js';

/**
 * Which servers answer as masters now: each start of a Redis has a run id of its own, so the text changes with every failover
 * and restart.
 * @returns run ids, sorted: `3f2...,a81...`
 * @throws when a master does not answer, or tells no run id
 */
export async function readMasters(redis: RedisClient): Promise<string> {
  const answers = await Promise.all(mastersOf(redis).map((node) => node.info('server')));
  return answers.map(runIdOf).sort().join(',');
}

/**
 * The names of all connections to the masters.
 * @throws when that is not allowed, as on some managed servers, or Redis fails
 */
export async function connectionNames(redis: RedisClient): Promise<ReadonlySet<string>> {
  const lists = await Promise.all(mastersOf(redis).map((node) => node.client('LIST')));
  return new Set(lists.flatMap((list) => [...String(list).matchAll(/ name=(\S+)/g)].map(([, name]) => name ?? '')));
}

function mastersOf(redis: RedisClient) {
  return isCluster(redis) ? redis.nodes('master') : [redis];
}

function runIdOf(info: string): string {
  const runId = /^run_id:([0-9a-f]+)/m.exec(info)?.[1];
  if (runId === undefined) throw new Error('Redis tells no run id');
  return runId;
}
