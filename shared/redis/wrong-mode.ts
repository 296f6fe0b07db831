import type { Redis } from 'ioredis';
import { redisErrorCode } from './redis-error.js';
import { refused, type RedisFault } from './redis-fault.js';

/** A server that is well, and no server for REDIS_MODE. */
export const faultOfKind = {
  sentinel: refused('is a sentinel, check REDIS_MODE'),
  cluster: refused('is a node of a cluster, and no Redis that stands alone: check REDIS_MODE'),
} as const satisfies Record<string, RedisFault>;

export const NO_SENTINEL = refused('is no sentinel, check REDIS_MODE');
export const NO_CLUSTER = refused('is no node of a cluster, check REDIS_MODE');

/** @returns undefined: it is neither, or does not tell */
export async function kindOf(redis: Redis): Promise<keyof typeof faultOfKind | undefined> {
  const [, kind] = /^redis_mode:(sentinel|cluster)/m.exec(await redis.info('server').catch(() => '')) ?? [];
  return kind as keyof typeof faultOfKind | undefined;
}

/**
 * What is wrong with a server that is used as a Redis that stands alone. Such a connection becomes ready with any server: a sentinel knows none of
 * our commands, and a node of a cluster answers MOVED for ever. A node is good as long as it has all our keys: a prefix in braces gives them
 * one slot.
 * @param keys of the service; on a cluster they stand in several slots
 */
export async function faultOfMode(redis: Redis, keys: readonly string[]): Promise<RedisFault | undefined> {
  const kind = await kindOf(redis);
  if (kind !== 'cluster') return kind && faultOfKind[kind];
  const code = redisErrorCode(await redis.exists(...keys).catch((error: unknown) => error));
  return code === 'CROSSSLOT' || code === 'MOVED' ? faultOfKind.cluster : undefined;
}
