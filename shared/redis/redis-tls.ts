import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import { Command } from 'ioredis';
import type { TlsClient } from '../tls/tls-client.js';

/** Nodes whose names are remembered. A cluster has at most 1,000 nodes. */
const MOST_NAMES = 2_000;

/** Our side of TLS with every node of one Redis, and its sentinels. */
export interface RedisTlsClient {
  readonly client: TlsClient;
  /** REDIS_TLS_SERVERNAME: all certificates have this name. */
  readonly servername: string | undefined;
}

/**
 * The option `tls` of one connection. Without a name of its own Node tells the server none (SNI).
 * @param host      that is connected to; undefined: not known here, and Node checks the certificate against it all the same
 * @param announced name of that node, where it is connected to by address: its certificate may have either
 */
export function tlsOptions({ client, servername }: RedisTlsClient, host?: string, announced?: string): ConnectionOptions {
  const name = servername ?? announced ?? (host !== undefined && isIP(host) === 0 ? host : undefined);
  return {
    // ioredis reads it for each connection, so that certificates may change.
    get secureContext() {
      return client.secureContext;
    },
    ...(name !== undefined && { servername: name }),
    ...(servername === undefined && announced !== undefined && host !== undefined && {
      checkServerIdentity: (_name, certificate) => {
        const fault = checkServerIdentity(announced, certificate);
        return fault === undefined || checkServerIdentity(host, certificate) === undefined ? undefined : fault;
      },
    }),
  } satisfies ConnectionOptions;
}

/** `cluster-announce-hostname` of nodes, by `address:port`. */
const announcedNames = new Map<string, string>();

/** @param address `host:port` of a node, as its cluster names it */
export function announcedName(address: string): string | undefined {
  return announcedNames.get(address);
}

/**
 * Remembers the names of nodes that a cluster tells beside their addresses (Redis 7, CLUSTER SLOTS). ioredis drops them. It is
 * done for all connections, since ioredis makes those that ask by itself. Calling it twice does nothing more.
 */
export function rememberAnnouncedNames(): void {
  Command.setReplyTransformer('cluster', (reply: unknown) => {
    if (Array.isArray(reply)) for (const range of reply) if (Array.isArray(range)) range.slice(2).forEach(rememberName);
    return reply;
  });
}

/** @param node address, port, id, and further facts: name and value in turn */
function rememberName(node: unknown): void {
  if (!Array.isArray(node)) return;
  const [address, port, , facts] = node as readonly unknown[];
  const name: unknown = Array.isArray(facts) ? facts[facts.indexOf('hostname') + 1] : undefined;
  if (typeof address !== 'string' || isIP(address) === 0 || !Array.isArray(facts) || !facts.includes('hostname') || typeof name !== 'string' || name === '') return;
  if (announcedNames.size >= MOST_NAMES) announcedNames.clear();
  announcedNames.set(`${address}:${Number(port)}`, name);
}
