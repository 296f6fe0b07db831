import { Redis } from 'ioredis';

import { loadConfig } from '../../shared/config/load.js';
import type { RedisConfig } from '../../shared/config/config.js';
import { aclRule } from '../../shared/redis/redis-rights.js';
import { TestAuthority } from '../support/certificates.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { PrivateRedis, printAddress, redis62 } from '../support/redis.js';
import { MASTER_NAME, SentinelRedis } from '../support/sentinel-redis.js';

/** A Redis as people run it, that is there for one suite. */
export interface Topology {
  readonly redis: RedisConfig;
  /** QUEUE_PREFIX, where not every one is allowed. */
  readonly prefix?: string;
  /** What Redis has refused. Default: that is not asked. */
  readonly refused?: () => Promise<readonly string[]>;
  close(): Promise<unknown>;
}

const PASSWORD = 'of-a-topology';
const configOf = (settings: Readonly<Record<string, string>>): RedisConfig => loadConfig(settings).redis;

/** Everything is started by the test, from Debian's redis-server, or a 6.2. */
export const topologies: Readonly<Record<string, () => Promise<Topology>>> = {
  'one Redis': async () => {
    const redis = await PrivateRedis.start();
    return { redis: configOf({ REDIS_ADDR: printAddress(redis.address) }), close: () => redis.close() };
  },
  'a Cluster of 3 masters and 3 replicas': async () => {
    const cluster = await RedisCluster.start();
    return { redis: configOf({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses }), close: () => cluster.close() };
  },
  'Sentinel with 2 replicas and 3 sentinels': async () => {
    const sentinel = await SentinelRedis.start();
    return { redis: configOf({ REDIS_MODE: 'sentinel', REDIS_MASTER_NAME: MASTER_NAME, REDIS_SENTINEL_ADDRS: sentinel.sentinelAddresses }), close: () => sentinel.close() };
  },
  'TLS with a private authority and client certificates': async () => {
    const authority = await TestAuthority.create();
    const [certificate, ours] = await Promise.all([authority.issue({ names: ['IP:127.0.0.1'] }), authority.issue({ names: [] })]);
    const redis = await PrivateRedis.start(undefined, { certificate, ca: authority.ca });
    return {
      redis: configOf({ REDIS_ADDR: printAddress(redis.address), REDIS_TLS: 'true', REDIS_TLS_CA_FILE: authority.ca, REDIS_TLS_CERT_FILE: ours.cert, REDIS_TLS_KEY_FILE: ours.key }),
      close: () => Promise.all([redis.close(), authority.close()]),
    };
  },
  'a user with few rights': async () => {
    const prefix = 'bull';
    const redis = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', '--user', 'retry-service', 'on', `>${PASSWORD}`, ...aclRule(prefix)]);
    return {
      redis: configOf({ REDIS_ADDR: printAddress(redis.address), REDIS_USERNAME: 'retry-service', REDIS_PASSWORD: PASSWORD }),
      prefix,
      refused: () => refusedBy(redis),
      close: () => redis.close(),
    };
  },
  'Redis 6.2 with a user with few rights': async () => {
    const redis = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', '--user', 'retry-service', 'on', `>${PASSWORD}`, ...aclRule('bull')], undefined, { binary: redis62() });
    return {
      redis: configOf({ REDIS_ADDR: printAddress(redis.address), REDIS_USERNAME: 'retry-service', REDIS_PASSWORD: PASSWORD }),
      prefix: 'bull',
      // CLIENT SETINFO is not known there, and ioredis goes without. Newer versions do not count that as refused.
      refused: async () => (await refusedBy(redis)).filter((entry) => !entry.includes('object,client,')),
      close: () => redis.close(),
    };
  },
  'a Cluster of 3 masters with Redis 6.2': async () => {
    const cluster = await RedisCluster.start({ replicas: 0, redis62: redis62() });
    return { redis: configOf({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses }), close: () => cluster.close() };
  },
};

/** What the server has refused to its users. */
async function refusedBy({ clientOptions }: PrivateRedis): Promise<readonly string[]> {
  const admin = new Redis(clientOptions);
  try {
    return ((await admin.call('ACL', 'LOG')) as unknown[]).map(String);
  } finally {
    admin.disconnect();
  }
}
