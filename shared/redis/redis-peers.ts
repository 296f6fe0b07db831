import { isSameAddress, rangeOf } from '../domain/addresses/address-range.js';
import type { IsOwnRedis } from '../domain/addresses/destination-policy.js';
import { isCluster, type RedisClient } from './redis-connection.js';

/** Nodes of Redis that are remembered. A cluster has at most 1,000 nodes. */
const MOST_PEERS = 2_000;
/** How often the connections are looked at, at most, ms: each submission asks. */
const LOOK_EVERY_MS = 1_000;

interface Peer {
  readonly address: string;
  readonly port: number;
  /** It runs on this machine, so that every loopback address leads to it. */
  readonly isLocal: boolean;
}

/**
 * Knows the nodes of Redis that a connection has been made to, and those that a cluster names, by address and port. Tasks are never
 * sent there: a receiver's url could name a key of ours in a request that Redis takes for a command.
 */
export function watchRedisPeers(redis: RedisClient): IsOwnRedis {
  const peers = new Map<string, Peer>();
  const ports = new Set<number>();
  const remember = (peer: Peer): void => {
    if (peers.size >= MOST_PEERS) return;
    peers.set(`${peer.address} ${peer.port}`, peer);
    ports.add(peer.port);
  };
  let lookedAt = -Infinity;
  const look = (): void => {
    lookedAt = performance.now();
    for (const node of isCluster(redis) ? redis.nodes('all') : [redis]) {
      const { host, port } = node.options;
      if (host !== undefined && port !== undefined && rangeOf(host) !== undefined) remember({ address: host, port, isLocal: rangeOf(host) === 'loopback' });
      // Its type promises a stream, and before the first connection there is none.
      const { remoteAddress, remotePort, localAddress } = (node.stream as typeof node.stream | undefined) ?? {};
      if (remoteAddress === undefined || remotePort === undefined) continue;
      remember({ address: remoteAddress, port: remotePort, isLocal: remoteAddress === localAddress || rangeOf(remoteAddress) === 'loopback' });
    }
  };
  redis.on('ready', look);
  return (address, port) => {
    if (performance.now() - lookedAt >= LOOK_EVERY_MS) look();
    if (!ports.has(port)) return false;
    for (const peer of peers.values()) {
      if (peer.port === port && (isSameAddress(peer.address, address) || (peer.isLocal && rangeOf(address) === 'loopback'))) return true;
    }
    return false;
  };
}
