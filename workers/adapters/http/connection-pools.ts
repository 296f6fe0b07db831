import { Socket } from 'node:net';

import { buildConnector, errors, Pool } from 'undici';

import { skipUnaskedContinue } from './skip-unasked-continue.js';

export interface ConnectionPoolsOptions {
  /**
   * Limit for name look-up, TCP and TLS together, in whole milliseconds. undici's timer is coarse: it may fire up to 1 s
   * later.
   */
  readonly connectTimeoutMs: number;
  /** Origins whose connections may stay open while nothing is sent to them, >= 0. */
  readonly maxIdleOrigins: number;
}

/**
 * How long an unused connection is kept, in milliseconds. It is shorter than the 5 s after which Node and Apache close
 * theirs, because a POST that meets a closing connection fails. If a server announces less in its Keep-Alive header, that
 * time less 2 s for the way is used. A longer one is ignored: idle connections would pile up.
 */
const keepAliveMs = 4_000;

/**
 * Wait before the next address of a host is tried, in milliseconds. Node's default of 250 gives up on a healthy
 * host half a world away when its name has a second address that does not answer.
 */
const nextAddressAfterMs = 1_000;

/**
 * One error for all connections. A new one each time, with its stack, is a tenth of the cost of a first send to a
 * destination.
 */
const notNeeded = new errors.ClientDestroyedError();

interface Origin {
  readonly name: string;
  readonly pool: Pool;
  /** Connections that are open or being made. undici's own count leaves out those being made. */
  readonly sockets: Set<Socket>;
  borrowers: number;
}

/**
 * Keep-alive connections, one pool for each origin. A pool lives while a request uses it or one of its connections
 * is open, and of the unused ones only the latest `maxIdleOrigins` stay.
 *
 * Not undici's Agent: in 7.30 it has no limit on idle origins (its `maxOrigins` refuses new ones instead), and a
 * connection that is still being made survives its `destroy` until the connect timeout.
 */
export class ConnectionPools {
  private readonly origins = new Map<string, Origin>();
  /** In the order in which they fell idle, oldest first. */
  private readonly idle = new Set<Origin>();
  private readonly connect: buildConnector.connector;
  private readonly maxIdleOrigins: number;
  private closed: Promise<void> | undefined;
  private readonly ending = new Set<Promise<void>>();

  constructor({ connectTimeoutMs, maxIdleOrigins }: ConnectionPoolsOptions) {
    this.maxIdleOrigins = maxIdleOrigins;
    this.connect = buildConnector({
      timeout: connectTimeoutMs,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: nextAddressAfterMs,
    });
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
   * Lends the pool of an origin to one request, which the caller runs in `use`.
   *
   * @param originName  scheme, host and port, as in `new URL(...).origin`
   */
  async lend<T>(originName: string, use: (pool: Pool) => Promise<T>): Promise<T> {
    const origin = this.origins.get(originName) ?? this.open(originName);
    origin.borrowers += 1;
    this.idle.delete(origin);
    try {
      return await use(origin.pool);
    } finally {
      origin.borrowers -= 1;
      this.tidy(origin);
    }
  }

  /** Ends all connections, also those in use. It may be called twice. */
  close(): Promise<void> {
    this.closed ??= (async () => {
      for (const origin of [...this.origins.values()]) this.drop(origin);
      await Promise.all(this.ending);
    })();
    return this.closed;
  }

  private open(name: string): Origin {
    const sockets = new Set<Socket>();
    const pool = new Pool(name, {
      // After the connection is made, the attempt's signal is the exact limit.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      connect: (options, callback) => {
        // Returned, but not in the types of 7.30; without it a connection being made could not be ended.
        // eslint-disable-next-line @typescript-eslint/no-confusing-void-expression -- void is only what the types say
        const socket: unknown = this.connect(options, (...made) => {
          if (made[0] === null) skipUnaskedContinue(made[1]);
          callback(...made);
        });
        if (!(socket instanceof Socket)) return;
        sockets.add(socket);
        socket.once('close', () => {
          sockets.delete(socket);
          this.tidy(origin);
        });
      },
    });
    const origin: Origin = { name, pool, sockets, borrowers: 0 };
    this.origins.set(name, origin);
    return origin;
  }

  private tidy(origin: Origin): void {
    if (origin.borrowers > 0 || this.origins.get(origin.name) !== origin) return;
    if (origin.sockets.size === 0) {
      this.drop(origin);
      return;
    }
    if (this.idle.has(origin)) return;
    this.idle.add(origin);
    if (this.idle.size <= this.maxIdleOrigins) return;
    for (const oldest of this.idle) {
      this.drop(oldest);
      break;
    }
  }

  private drop(origin: Origin): void {
    this.origins.delete(origin.name);
    this.idle.delete(origin);
    const ended = this.end(origin).finally(() => this.ending.delete(ended));
    this.ending.add(ended);
  }

  private async end({ pool, sockets }: Origin): Promise<void> {
    // It is not awaited: when it is called while a socket emits `close` (7.30), its promise never resolves. The sockets
    // tell when they have closed.
    void pool.destroy(notNeeded);
    await Promise.all([...sockets].map((socket) => new Promise<void>((resolve) => {
      socket.once('close', () => { resolve(); });
      // This ends only connections that are being made, which undici leaves alone. It needs an error, or a timer would run on.
      socket.destroy(notNeeded);
    })));
  }
}
