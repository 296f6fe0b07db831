import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import type { Redis } from 'ioredis';
import type { HostPort } from '../config/variable-kinds.js';
import { rangeOf } from '../domain/addresses/address-range.js';
import type { IsOwnRedis } from '../domain/addresses/destination-policy.js';
import { KnownNodes } from '../domain/addresses/known-nodes.js';
import { isCluster, type RedisClient } from './redis-connection.js';
import { replicasNamedIn } from './replica-count.js';

/** Names that are looked up again. A cluster has at most 1,000 nodes. */
const MOST_NAMES = 2_000;
const SENTINEL_PORT = 26_379;
/** How often the connections are looked at, at most, ms: each submission asks. */
const LOOK_EVERY_MS = 1_000;
/** How often names and this machine's addresses are looked up again, and a master is asked for its replicas, at most, ms. */
const ASK_EVERY_MS = 30_000;

/**
 * Knows by address and port the nodes of Redis that a connection has been made to, the replicas that their master names, those of a
 * cluster, and the sentinels. Tasks are never sent there: a receiver's url could name a key of ours in a request that Redis takes for a
 * command. What does not answer is asked again later, and nothing waits for it.
 * @param named further ones that the operator has named
 */
export function watchRedisPeers(redis: RedisClient, named: readonly HostPort[] = []): IsOwnRedis {
  const nodes = new KnownNodes(ownAddresses);
  const names = new Map<string, HostPort>();
  const rememberHost = (place: HostPort): void => {
    if (rangeOf(place.host) !== undefined) nodes.remember(place.host, place.port);
    else if (names.size < MOST_NAMES) names.set(`${place.host} ${place.port}`, place);
  };
  let lookedAt = -Infinity;
  const look = (): void => {
    lookedAt = performance.now();
    for (const node of isCluster(redis) ? redis.nodes('all') : [redis]) {
      const { host, port } = node.options;
      // With sentinels they are a default of ioredis, until a master is known.
      if (host !== undefined && port !== undefined && !hasSentinels(node)) rememberHost({ host, port });
      // Its type promises a stream, and before the first connection there is none.
      const { remoteAddress, remotePort, localAddress } = (node.stream as typeof node.stream | undefined) ?? {};
      if (remoteAddress !== undefined && remotePort !== undefined) nodes.remember(remoteAddress, remotePort, localAddress);
    }
  };
  let askedAt = -Infinity;
  const ask = async (): Promise<void> => {
    askedAt = performance.now();
    nodes.lookForOwn();
    // The nodes of a cluster tell of each other.
    if (!isCluster(redis) && redis.status === 'ready') for (const replica of replicasNamedIn(await redis.info('replication').catch(() => ''))) rememberHost(replica);
    await Promise.all([...names.values()].map(async ({ host, port }) => {
      for (const { address } of await lookup(host, { all: true }).catch(() => [])) nodes.remember(address, port);
    }));
  };
  for (const place of named) rememberHost(place);
  if (!isCluster(redis)) for (const { host, port } of redis.options.sentinels ?? []) if (host !== undefined) rememberHost({ host, port: port ?? SENTINEL_PORT });
  look();
  void ask();
  redis.on('ready', () => {
    look();
    void ask();
  });
  return (address, port) => {
    if (performance.now() - lookedAt >= LOOK_EVERY_MS) look();
    if (performance.now() - askedAt >= ASK_EVERY_MS) void ask();
    return nodes.has(address, port);
  };
}

/** Its types promise undefined, and ioredis writes null. */
function hasSentinels({ options: { sentinels } }: Redis): boolean {
  return (sentinels ?? []).length > 0;
}

function ownAddresses(): readonly string[] {
  try {
    return Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  } catch {
    return []; // some sandboxes do not tell them: then a connection to one of them does
  }
}
