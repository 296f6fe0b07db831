import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import { TlsClient } from '../tls/tls-client.js';
import type { RedisConfig, RedisTls } from '../config/config.js';
import { endWhileDisconnecting } from './closing-cluster.js';
import { followMasters } from './follow-masters.js';
import { holdAsking } from './held-asking.js';
import { askLivingNodes } from './living-nodes.js';
import { patchIoredisTimeLimits } from './ioredis-time-limits.js';
import { seeReadOnly, type ReadOnlySpell } from './read-only-spell.js';
import { redisErrorCode } from './redis-error.js';
import { endOnRefusedDatabase } from './refused-database.js';
import { rememberAnnouncedNames, announcedName, tlsOptions, type RedisTlsClient } from './redis-tls.js';
import { followFailovers, SentinelFailovers } from './sentinel-failovers.js';

export type RedisClient = Redis | Cluster;

export function isCluster(redis: RedisClient): redis is Cluster {
  return redis instanceof Cluster;
}

/** A command is answered within 1 s or fails: a caller of the API must never hang on Redis. */
const SERVER_COMMAND_LIMIT_MS = 800;
/**
 * A connection that has answered nothing for this long is given up. A command that has timed out stays in ioredis' queue,
 * with its message, until its answer comes. So the API grew by every request that it refused while Redis was frozen.
 */
const SERVER_SILENCE_LIMIT_MS = 1_000;
/**
 * The same limit for workers, longer than BullMQ's longest blocking call (10 s). After a power cut at the other end, or
 * when a firewall has forgotten the connection, the connection is never closed: a worker would have waited 15 minutes,
 * until TCP gives up.
 */
const WORKER_SILENCE_LIMIT_MS = 15_000;
const RECONNECT_MAX_MS = 1_000;
/**
 * How often the API's client of a cluster sends a command again. A round lasts 100 ms when a node is gone, so the caller
 * is told before its time is up (request-limit.ts), and not much is sent after that.
 */
const SERVER_REDIRECTIONS = 6;

const profiles = {
  /** It fails at once while Redis is away, and does not send a command again by itself: the caller decides. */
  server: {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: SERVER_COMMAND_LIMIT_MS,
    socketTimeout: SERVER_SILENCE_LIMIT_MS,
  },
  /** It waits for ever (BullMQ demands null), and is back within a second. */
  worker: { maxRetriesPerRequest: null, socketTimeout: WORKER_SILENCE_LIMIT_MS },
} as const satisfies Record<string, RedisOptions>;

/** Of a connection whose commands end in time, whatever becomes of the server. */
export const commandsThatEnd: RedisOptions = profiles.server;

/**
 * Opens a connection; it reconnects by itself until closed.
 * @param profile how it behaves while Redis is away
 */
export function connectRedis(config: RedisConfig, profile: keyof typeof profiles): RedisClient {
  patchIoredisTimeLimits();
  endOnRefusedDatabase();
  holdAsking();
  const tls = tlsClientOf(config.tls);
  const options = {
    ...profiles[profile],
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: config.password }),
    connectTimeout: 5_000,
    retryStrategy: reconnectAfterMs,
    reconnectOnError: reconnectOnReadOnly(() => performance.now()),
  } satisfies RedisOptions;
  switch (config.mode) {
    case 'standalone':
      return new Redis({ ...options, ...config.address, ...(tls !== undefined && { tls: tlsOptions(tls, config.address.host) }), db: config.db });
    case 'sentinel': {
      const sentinelTls = tlsClientOf(config.sentinelTls);
      const { sentinels, sentinelPassword } = config;
      const failovers = new SentinelFailovers({ sentinels, masterName: config.masterName, password: sentinelPassword, tls: sentinelTls });
      const redis = new Redis({
        ...options,
        ...followFailovers(failovers, tls),
        sentinels: [...sentinels],
        name: config.masterName,
        db: config.db,
        sentinelRetryStrategy: reconnectAfterMs,
        ...(sentinelPassword !== undefined && { sentinelPassword }),
        ...(sentinelTls !== undefined && { sentinelTLS: tlsOptions(sentinelTls) }),
        // The connector adds the name of the node that is connected to.
        ...(tls !== undefined && { tls: tlsOptions(tls), enableTLSForSentinelMode: true }),
      });
      // It connects again for ever, so it ends only when it is closed by us. One that is closed while it waits to connect again emits no `end`.
      redis.once('end', () => failovers.close());
      const disconnect = redis.disconnect.bind(redis);
      redis.disconnect = (reconnect) => {
        disconnect(reconnect);
        if (reconnect !== true) failovers.close();
      };
      return redis;
    }
    case 'cluster': {
      const cluster = new Cluster(config.nodes.map(({ host, port }) => ({ host, port, ...(tls !== undefined && { tls: tlsOptions(tls, host) }) })), {
        redisOptions: { ...options, ...(tls !== undefined && { tls: tlsOptions(tls) }) },
        ...(tls !== undefined && nodesByTls(tls)),
        enableOfflineQueue: profile === 'worker',
        ...(profile === 'server' ? { maxRedirections: SERVER_REDIRECTIONS } : {}),
        clusterRetryStrategy: reconnectAfterMs,
      });
      // The API gives up a silent connection after a second.
      if (profile === 'worker') followMasters(cluster);
      askLivingNodes(cluster);
      endWhileDisconnecting(cluster);
      return cluster;
    }
  }
}

/** @param times failed in a row, 1 or more. @returns ms */
export function reconnectAfterMs(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 5), RECONNECT_MAX_MS);
}

/** @throws when the files cannot be used. ioredis would wait for ever if it was told so while it connects */
function tlsClientOf(tls: RedisTls | false): RedisTlsClient | undefined {
  if (tls === false) return undefined;
  const client = new TlsClient(tls.files);
  client.load();
  return { client, servername: tls.servername };
}

/** How a cluster finds its nodes, so that their certificates can be checked: by the names that they have, where they have some. */
function nodesByTls(tls: RedisTlsClient): Pick<ClusterOptions, 'dnsLookup' | 'natMap'> {
  rememberAnnouncedNames();
  return {
    // ioredis would connect to the address, and a certificate has the name.
    dnsLookup: (address, done) => done(null, address),
    natMap: (key) => {
      const at = key.lastIndexOf(':');
      const host = key.slice(0, at);
      return { host, port: Number(key.slice(at + 1)), tls: tlsOptions(tls, host, announcedName(key)) };
    },
  };
}

/**
 * After a failover the old master answers READONLY until the connection is made anew. If that does not help, it is
 * repeated less and less often: each time, other commands on this connection fail.
 */
function reconnectOnReadOnly(now: () => number): (error: Error) => boolean {
  // BullMQ makes more connections with these options, and each has to be made anew by itself. ioredis calls this as a
  // method of the options of one connection, each of which has a copy of its own.
  const spells = new WeakMap<object, ReadOnlySpell>();
  const mayReconnect = function (this: object, error: Error): boolean {
    if (redisErrorCode(error) !== 'READONLY') return false;
    const { isDue, spell } = seeReadOnly(spells.get(this), now());
    spells.set(this, spell);
    return isDue;
  };
  return mayReconnect;
}
