import type { Socket } from 'node:net';

import { buildConnector } from 'undici';

import { severalAddresses, type AddressGuard } from '../../../shared/addresses/address-guard.js';
import type { Random } from '../../../shared/domain/ports.js';
import type { Logger } from '../../../shared/logging/logger.js';
import { Connection } from './connection.js';
import { ProxyState } from './proxy-state.js';
import { weightOfIdle } from './idle-origins.js';
import { OriginUrl } from './origin-url.js';
import { goesPast, openTunnel, type ProxySettings } from './proxy-tunnel.js';

export interface ConnectionPoolsOptions {
  /**
   * Limit for name look-up, TCP and TLS together, in whole milliseconds. undici's timer is coarse: it may fire up to 1 s
   * later.
   */
  readonly connectTimeoutMs: number;
  /** Origins whose connections may stay open while nothing is sent to them, >= 0; one with TLS counts for more: see idle-origins.ts. */
  readonly maxIdleOrigins: number;
  /** Mean age at which a connection is not lent again, in milliseconds. Each one gets an age from 2/3 to 4/3 of it. */
  readonly maxAgeMs: number;
  readonly random: Random;
  /** It judges every address before a connection to it is made. */
  readonly guard: AddressGuard;
  /** undefined: receivers are connected to directly. */
  readonly proxy?: ProxySettings | undefined;
  /** Told when the proxy cannot be used, and when it can again. */
  readonly logger?: Pick<Logger, 'error' | 'info'> | undefined;
}

/** Ports and identities whose connector is kept, with its TLS sessions. Nearly all receivers use one of two ports. */
const MOST_CONNECTORS = 256;

/** As whom a connection is made. What is sent with different credentials shares neither connections nor TLS sessions. */
export interface ConnectionIdentity {
  /** Another one for other credentials. */
  readonly id: string;
  /** PEM: the client's certificate and key, and the authorities that are trusted instead of the known ones. */
  readonly tls: { readonly cert?: string; readonly key?: string; readonly ca?: string };
}

/** A connection in the hands of one request. */
export interface BorrowedConnection {
  readonly origin: Origin;
  readonly connection: Connection;
}

interface Origin {
  readonly url: OriginUrl;
  /** Its name among the origins: that of the origin and of the identity. */
  readonly slot: string;
  readonly connect: buildConnector.connector;
  readonly connections: Set<Connection>;
  /** Open connections that are not lent, the latest used last. That one is lent first: it is the least likely to be closed. */
  readonly unused: Connection[];
  /** Those that are lent again from the next turn of the event loop on: by then it shows whether the answer was followed by the end. */
  readonly resting: Connection[];
  /** Open, being made, or being closed. */
  readonly sockets: Set<Socket>;
  borrowers: number;
}

/**
 * Keep-alive connections, by origin. An origin is remembered while a request uses it or one of its connections
 * is open, and of the unused ones only the latest `maxIdleOrigins` stay.
 *
 * A connection is given up at some age, however busy it is, because a name is looked up only for a new one: a host that
 * moved would never be noticed. The ages differ, so that connections that were made together are not renewed together.
 *
 * Not undici's Agent or Pool: in 7.30 Agent has no limit on idle origins (its `maxOrigins` refuses new ones instead), a
 * connection that is still being made survives `destroy` until the connect timeout, and neither can be asked for a
 * new connection.
 */
export class ConnectionPools {
  private readonly origins = new Map<string, Origin>();
  /** In the order in which they fell idle, oldest first. */
  private readonly idle = new Set<Origin>();
  private idleWeight = 0;
  private readonly options: ConnectionPoolsOptions;
  private readonly connectors = new Map<string, buildConnector.connector>();
  private readonly proxyState: ProxyState;
  private closed: Promise<void> | undefined;
  private readonly ending = new Set<Promise<void>>();

  constructor(options: ConnectionPoolsOptions) {
    this.options = options;
    this.proxyState = new ProxyState(options.connectTimeoutMs, options.logger);
  }

  /** The only place where a connection of this adapter begins. */
  private connect(options: buildConnector.Options, callback: buildConnector.Callback, identity: ConnectionIdentity | undefined): void {
    const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80);
    const refusal = this.options.guard.refusalOf(options.hostname, port);
    if (refusal !== undefined) {
      callback(refusal, null);
      return;
    }
    const { proxy, guard, connectTimeoutMs } = this.options;
    const connector = this.connectorFor(port, identity);
    // Returned, but not in the types of 7.30: see connection.ts.
    if (proxy === undefined || goesPast(proxy, { hostname: options.hostname, port })) return connector(options, callback);
    const refused = (proxy.resolves ? guard.refusalOfUnresolved(options.hostname, port) : undefined) ?? this.proxyState.refusal();
    if (refused !== undefined) {
      callback(refused, null);
      return;
    }
    const begun: unknown = openTunnel(proxy, this.proxyState, { hostname: options.hostname, port }, guard, connectTimeoutMs, (error, socket) => {
      if (error !== null || socket === null) callback(error ?? new Error('no tunnel'), null);
      else if (options.protocol === 'https:') connector({ ...options, httpSocket: socket }, callback);
      else callback(null, socket);
    });
    return begun as undefined;
  }

  /** A look-up is not told the port, and the policy has rules for ports. TLS sessions are kept with a connector, so each identity has its own. */
  private connectorFor(port: number, identity: ConnectionIdentity | undefined): buildConnector.connector {
    const name = identity === undefined ? String(port) : `${port} ${identity.id}`;
    const known = this.connectors.get(name);
    if (known !== undefined) return known;
    if (this.connectors.size >= MOST_CONNECTORS) this.connectors.clear();
    const connector = buildConnector({
      ...identity?.tls,
      timeout: this.options.connectTimeoutMs,
      ...severalAddresses,
      lookup: this.options.guard.lookupFor(port),
    });
    this.connectors.set(name, connector);
    return connector;
  }

  /** After this, no more connections are made. */
  get isClosed(): boolean {
    return this.closed !== undefined;
  }

  /** The number of origins that are in use or have a connection open. */
  get originCount(): number {
    return this.origins.size;
  }

  /**
   * Lends a connection to one request. The caller gives it back.
   *
   * @param originName  scheme, host and port, as in `new URL(...).origin`
   * @param identity    undefined: as nobody
   * @param which       `new`: a connection that no request was sent over
   */
  borrow(originName: string, identity?: ConnectionIdentity, which: 'any' | 'new' = 'any'): BorrowedConnection {
    const slot = identity === undefined ? originName : `${originName} ${identity.id}`;
    const origin = this.origins.get(slot) ?? this.open(originName, slot, identity);
    origin.borrowers += 1;
    this.isIdleNoMore(origin);
    const connection = (which === 'any' ? origin.unused.pop() : undefined) ?? this.make(origin);
    return { origin, connection };
  }

  /** To be called once, whatever became of the request. */
  giveBack({ origin, connection }: BorrowedConnection): void {
    origin.borrowers -= 1;
    this.takeBack(origin, connection);
    this.tidy(origin);
  }

  /** Ends all connections, also those in use. It may be called twice. */
  close(): Promise<void> {
    this.closed ??= (async () => {
      for (const origin of [...this.origins.values()]) this.drop(origin);
      await Promise.all(this.ending);
    })();
    return this.closed;
  }

  private open(name: string, slot: string, identity: ConnectionIdentity | undefined): Origin {
    const connect: buildConnector.connector = (options, callback) => this.connect(options, callback, identity);
    const origin: Origin = { url: new OriginUrl(name), slot, connect, connections: new Set(), unused: [], resting: [], sockets: new Set(), borrowers: 0 };
    this.origins.set(slot, origin);
    return origin;
  }

  private make(origin: Origin): Connection {
    const { maxAgeMs, random } = this.options;
    const connection = new Connection({
      origin: origin.url,
      connect: origin.connect,
      goodUntilMs: performance.now() + maxAgeMs * (2 + 2 * random()) / 3,
      onSocket: (socket) => {
        origin.sockets.add(socket);
        socket.once('close', () => {
          origin.sockets.delete(socket);
          const at = origin.unused.indexOf(connection);
          if (at >= 0 && !connection.isOpen) {
            origin.unused.splice(at, 1);
            origin.connections.delete(connection);
          }
          this.tidy(origin);
        });
      },
    });
    origin.connections.add(connection);
    return connection;
  }

  private takeBack(origin: Origin, connection: Connection): void {
    if (connection.rest()) {
      origin.resting.push(connection);
      if (origin.resting.length === 1) setImmediate(() => { endRest(origin); });
      return;
    }
    origin.connections.delete(connection);
    connection.end();
  }

  private tidy(origin: Origin): void {
    if (origin.borrowers > 0 || this.origins.get(origin.slot) !== origin) return;
    if (origin.sockets.size === 0) {
      this.drop(origin);
      return;
    }
    if (this.idle.has(origin)) return;
    this.idle.add(origin);
    this.idleWeight += weightOfIdle(origin.url.protocol);
    for (const oldest of this.idle) {
      if (this.idleWeight <= this.options.maxIdleOrigins) return;
      this.drop(oldest);
    }
  }

  private isIdleNoMore(origin: Origin): void {
    if (this.idle.delete(origin)) this.idleWeight -= weightOfIdle(origin.url.protocol);
  }

  private drop(origin: Origin): void {
    this.origins.delete(origin.slot);
    this.isIdleNoMore(origin);
    const ended = this.end(origin).finally(() => this.ending.delete(ended));
    this.ending.add(ended);
  }

  private async end({ connections, sockets }: Origin): Promise<void> {
    const closed = [...sockets].map((socket) => new Promise<void>((resolve) => {
      socket.once('close', () => { resolve(); });
    }));
    for (const connection of connections) connection.end();
    await Promise.all(closed);
  }
}

function endRest({ connections, resting, unused }: Origin): void {
  for (const connection of resting.splice(0)) {
    if (connection.isReady) {
      unused.push(connection);
      continue;
    }
    connections.delete(connection);
    connection.end();
  }
}
