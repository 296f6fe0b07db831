import type { Environment } from '../config/schema.js';
import type { Logger } from '../logging/logger.js';
import { printError } from '../logging/print-error.js';
import type { Cluster, Redis } from 'ioredis';
import { withinLimit } from '../lifecycle/time-limit.js';
import { isCluster, type RedisClient } from './redis-connection.js';
import { SILENT_AFTER_MS, watchSilence } from './silence-watch.js';

/**
 * A connection that is closed, and ready again within this time, ms, was replaced: ioredis does so after each write that a
 * read-only Redis refuses.
 */
const REPLACED_WITHIN_MS = 500;
/** How long a start waits for a setting that it only warns of, ms. */
const SETTING_WITHIN_MS = 1_000;

/**
 * Logs one line when Redis goes away and one line when it is back.
 * @param profile of the connection: see connectRedis. For a worker, a Redis that keeps its connections and does not answer is
 *                away, too
 */
export function logConnectionChanges(redis: RedisClient, logger: Logger, profile: 'server' | 'worker'): void {
  let isAway = false;
  let closed: NodeJS.Timeout | undefined;
  const onAway = (error?: Error): void => {
    if (!isAway) logger.error('redis is away', { error: error === undefined ? undefined : printError(error) });
    isAway = true;
  };
  redis.on('error', onAway);
  redis.on('close', () => {
    closed ??= setTimeout(onAway, REPLACED_WITHIN_MS).unref();
  });
  const onBack = (): void => {
    clearTimeout(closed);
    closed = undefined;
    if (isAway) logger.info('redis is back');
    isAway = false;
  };
  redis.on('ready', onBack);
  redis.on('end', () => {
    // Closed by us: nothing to say.
    clearTimeout(closed);
    isAway = true;
  });
  if (profile === 'worker') watchSilence(redis, () => onAway(new Error(`it has not answered for ${SILENT_AFTER_MS} ms`)), onBack);
}

/** This Redis would delete tasks when it runs out of memory. */
export class EvictingRedisError extends Error {
  constructor(policy: string) {
    super(`Redis has maxmemory-policy ${policy}: it would delete tasks when it is full. Set maxmemory-policy noeviction.`);
    this.name = 'EvictingRedisError';
  }
}

/**
 * Checks the settings of Redis that tasks depend on. Settings that a managed Redis does not show are taken to be right.
 * @throws EvictingRedisError in prod; in dev it is a loud warning
 */
export async function checkRedisSettings(redis: RedisClient, environment: Environment, logger: Logger): Promise<void> {
  const policy = await readSetting(redis, 'maxmemory-policy');
  if (policy !== undefined && policy !== 'noeviction') {
    const error = new EvictingRedisError(policy);
    if (environment === 'prod') throw error;
    logger.error(`${error.message} This start is allowed because ENVIRONMENT is dev.`, { event: 'redis_evicts' });
  }
  const hz = Number((await readSetting(redis, 'hz')) ?? '100');
  if (hz < 100) logger.warn(`Redis has hz ${hz}: tasks can be up to ${Math.round(1000 / hz)} ms late. Set hz 100.`);
  if (isCluster(redis) && (await needsFullCoverage(redis))) {
    logger.warn('Redis has cluster-require-full-coverage yes: while one master is away and not replaced, the cluster refuses the tasks of all shards. Set cluster-require-full-coverage no on every node (CONFIG SET, and redis.conf).');
  }
}

/** Each node has a setting of its own. One that does not answer now is passed over: a worker would wait for it. */
async function needsFullCoverage(cluster: Cluster): Promise<boolean> {
  const ask = (node: Redis): Promise<string | undefined> => withinLimit(readSetting(node, 'cluster-require-full-coverage'), SETTING_WITHIN_MS, () => new Error('no answer')).catch(() => undefined);
  const settings = await Promise.all(cluster.nodes('master').map(ask));
  return settings.includes('yes');
}

async function readSetting(redis: RedisClient, name: string): Promise<string | undefined> {
  try {
    const answer: unknown = await redis.config('GET', name);
    // The reply holds name and value in turn.
    return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : undefined;
  } catch {
    return undefined; // CONFIG is switched off on many managed servers
  }
}
