import type { Environment } from '../config/schema.js';
import type { Logger } from '../logging/logger.js';
import { printError } from '../logging/print-error.js';
import type { Redis } from 'ioredis';
import { withinLimit } from '../lifecycle/time-limit.js';
import { isCluster, type RedisClient } from './redis-connection.js';
import { redisErrorCode } from './redis-error.js';
import { mastersOf, serverName } from './redis-masters.js';
import { SILENT_AFTER_MS, watchSilence } from './silence-watch.js';
import { answersWrites } from './write-answer.js';

/**
 * A connection that is closed, and ready again within this time, ms, was replaced: ioredis does so after each write that a
 * read-only Redis refuses.
 */
const REPLACED_WITHIN_MS = 500;
/** From one question whether Redis is back to the next on the same connection, ms. */
const ASK_AGAIN_MS = 100;
/** How long a start waits for a setting that it only warns of, ms. */
const SETTING_WITHIN_MS = 1_000;

/**
 * Logs one line when Redis goes away and one line when it is back. It is back when it answers what may write: while its writes are
 * paused it gives every new connection a welcome, and each of them is given up after a second.
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
    if (isAway) logger.info('redis is back');
    isAway = false;
  };
  let isAsked = false;
  const askWhetherBack = async (): Promise<void> => {
    if (!isAway || isAsked) return;
    isAsked = true;
    const isAnswered = await answersWrites(redis);
    isAsked = false;
    if (isAnswered) onBack();
    else if (redis.status === 'ready') setTimeout(() => void askWhetherBack(), ASK_AGAIN_MS).unref();
  };
  redis.on('ready', () => {
    clearTimeout(closed);
    closed = undefined;
    // A worker is asked every second anyway.
    if (profile === 'server') void askWhetherBack();
  });
  redis.on('end', () => {
    // Closed by us: nothing to say.
    clearTimeout(closed);
    isAway = true;
  });
  if (profile === 'worker') watchSilence(redis, () => onAway(new Error(`it has not answered for ${SILENT_AFTER_MS} ms`)), onBack);
}

/** This Redis would delete tasks when it runs out of memory. */
export class EvictingRedisError extends Error {
  /** @param server of a cluster: `10.0.0.1:6379` */
  constructor(policy: string, server: string) {
    super(`Redis${server === '' ? '' : ` ${server}`} has maxmemory-policy ${policy}: it would delete tasks when it is full. Set maxmemory-policy noeviction.`);
    this.name = 'EvictingRedisError';
  }
}

/**
 * Checks the settings of Redis that tasks depend on, at each master. Settings that a managed Redis does not show are taken to be right. A
 * master that takes over later, and would delete tasks, is told of loudly: the tasks are there, and ending every process helps nobody.
 * @throws EvictingRedisError in prod; in dev it is a loud warning
 */
export async function checkRedisSettings(redis: RedisClient, environment: Environment, logger: Logger): Promise<void> {
  const policies = new Map<string, string>();
  for (const [server, policy] of await readSettings(redis, 'maxmemory-policy')) {
    policies.set(server, policy);
    if (!isEvicting(policy)) continue;
    const error = new EvictingRedisError(policy, server);
    if (environment === 'prod') throw error;
    logger.error(`${error.message} This start is allowed because ENVIRONMENT is dev.`, { event: 'redis_evicts' });
  }
  watchPolicies(redis, policies, logger);
  const slowest = Math.min(100, ...[...(await readSettings(redis, 'hz')).values()].map((hz) => (hz === NOT_SHOWN ? 100 : Number(hz))));
  if (slowest < 100) logger.warn(`Redis has hz ${slowest}: tasks can be up to ${Math.round(1000 / slowest)} ms late. Set hz 100.`);
  if (isCluster(redis) && [...(await readSettings(redis, 'cluster-require-full-coverage')).values()].includes('yes')) {
    logger.warn('Redis has cluster-require-full-coverage yes: while one master is away and not replaced, the cluster refuses the tasks of all shards. Set cluster-require-full-coverage no on every node (CONFIG SET, and redis.conf).');
  }
}

/** Each node has a setting of its own, and a failover changes no setting. @param known by server, of the masters until now */
function watchPolicies(redis: RedisClient, known: Map<string, string>, logger: Logger): void {
  const look = async (): Promise<void> => {
    const masters = new Set(mastersOf(redis).map((node) => nameIn(redis, node)));
    for (const server of known.keys()) if (!masters.has(server)) known.delete(server);
    // Behind one address, or sentinels, may be another server with each connection.
    const isNew = (server: string): boolean => !isCluster(redis) || !known.has(server);
    for (const [server, policy] of await readSettings(redis, 'maxmemory-policy', isNew)) {
      if (isEvicting(policy) && known.get(server) !== policy) logger.error(`${new EvictingRedisError(policy, server).message} It was not so when this process started: a failover, or a change of settings.`, { event: 'redis_evicts' });
      known.set(server, policy);
    }
  };
  // A cluster's client asks who has which slots when a node has failed, or has named another one.
  (redis as Redis).on(isCluster(redis) ? 'refresh' : 'ready', () => void look());
}

function isEvicting(policy: string): boolean {
  return policy !== NOT_SHOWN && policy !== 'noeviction';
}

/** CONFIG is switched off on many managed servers. */
const NOT_SHOWN = '';

/** What the masters answer, by server: '' where there is one. One of a cluster that does not answer now is left out: a worker would wait for it. */
async function readSettings(redis: RedisClient, name: string, isAsked: (server: string) => boolean = () => true): Promise<ReadonlyMap<string, string>> {
  const answers = await Promise.all(mastersOf(redis).map(async (node) => {
    const server = nameIn(redis, node);
    if (!isAsked(server)) return [];
    const asking = readSetting(node, name);
    const value = await (isCluster(redis) ? withinLimit(asking, SETTING_WITHIN_MS, () => new Error('no answer')).catch(() => undefined) : asking);
    return value === undefined ? [] : [[server, value] as const];
  }));
  return new Map(answers.flat());
}

function nameIn(redis: RedisClient, node: Redis): string {
  return isCluster(redis) ? serverName(node) : '';
}

/** @returns undefined when it does not answer */
async function readSetting(redis: Redis, name: string): Promise<string | undefined> {
  try {
    const answer: unknown = await redis.config('GET', name);
    // The reply holds name and value in turn.
    return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : NOT_SHOWN;
  } catch (error) {
    return redisErrorCode(error) === undefined ? undefined : NOT_SHOWN;
  }
}
