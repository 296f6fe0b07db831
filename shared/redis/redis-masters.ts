import type { Redis } from 'ioredis';
import { keySlot } from './key-slot.js';
import { isCluster, type RedisClient } from './redis-connection.js';
import { withinRequestLimit } from './request-limit.js';

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

/**
 * The names of keys that begin with a text, a page at a time, from all masters. One that is made or removed meanwhile may be left out.
 * @param start without the characters that stand for others in a pattern of Redis: `* ? [ ] \\`
 */
export async function* keysBeginningWith(redis: RedisClient, start: string): AsyncGenerator<readonly string[]> {
  for (const node of mastersOf(redis)) {
    let cursor = '0';
    do {
      const [next, found] = await node.scan(cursor, 'MATCH', `${start}*`, 'COUNT', SCAN_COUNT);
      cursor = next;
      if (found.length > 0) yield found;
    } while (cursor !== '0');
  }
}

const SCAN_COUNT = 1_000;

/**
 * Asks each master. On a cluster some may be away.
 * @param limitMs one that has not answered by then is left out
 * @returns the answers of the others
 * @throws what the first one fails with when none answers
 */
export async function askMasters<T>(redis: RedisClient, limitMs: number, ask: (node: Redis) => Promise<T>): Promise<readonly T[]> {
  const results = await Promise.allSettled(mastersOf(redis).map((node) => withinRequestLimit(ask(node), limitMs)));
  const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  // Promise.allSettled has no type for its reasons.
  if (answers.length === 0) throw results[0]?.status === 'rejected' ? (results[0].reason as unknown) : new Error('no master is known');
  return answers;
}

/** The connections to the masters: one, or those of a cluster. */
export function mastersOf(redis: RedisClient): readonly Redis[] {
  return isCluster(redis) ? redis.nodes('master') : [redis];
}

/** @returns the connection that commands about a key use; undefined while no master has its slot */
export function masterOf(redis: RedisClient, key: string): Redis | undefined {
  if (!isCluster(redis)) return redis;
  const name = redis.slots[keySlot(key)]?.[0];
  return redis.nodes('all').find((node) => serverName(node) === name);
}

/**
 * Which masters of a cluster have these keys, for people: `, at 10.0.0.1:6379, 10.0.0.2:6379`. It names those that are away as well.
 * @returns '' where there is one Redis, and while the cluster has not told who has which slots
 */
export function placesOf(redis: RedisClient, keys: readonly string[]): string {
  if (!isCluster(redis)) return '';
  const names = new Set(keys.flatMap((key) => redis.slots[keySlot(key)]?.[0] ?? []));
  return names.size === 0 ? '' : `, at ${[...names].join(', ')}`;
}

/** `10.0.0.1:6379` */
export function serverName({ options: { host, port } }: Redis): string {
  return `${host}:${port}`;
}

function runIdOf(info: string): string {
  const runId = /^run_id:([0-9a-f]+)/m.exec(info)?.[1];
  if (runId === undefined) throw new Error('Redis tells no run id');
  return runId;
}
