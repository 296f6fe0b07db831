import net from 'node:net';
import tls from 'node:tls';

import type { ISocketFactory, ISocketFactoryArgs } from 'kafkajs';

import type { BrokerAddress } from './cluster-identity.js';
import { GuardedSocket, type SocketObserver } from './guarded-socket.js';

/** How long an idle connection is left before TCP asks whether the other side is still there. */
const keepAliveDelayMs = 30_000;
/** A broker that asks for more is asked again after this time. */
const LONGEST_THROTTLE_MS = 900_000;

/**
 * Opens the sockets of one kafkajs producer, each behind a guard, and keeps hold of them, because kafkajs lets go of some:
 * after a connect timeout, and in front of a frozen broker, it ends a socket that will never close by itself.
 */
export class BrokerSockets {
  readonly #open = new Set<net.Socket>();
  readonly #bootstrap: BrokerAddress;
  #isDestroyed = false;
  #fault: Error | undefined;
  /** Monotonic milliseconds. */
  #throttledUntil = 0;
  readonly #observer: SocketObserver = {
    onFault: (fault) => { this.#fault ??= fault; },
    onThrottle: (throttleMs) => {
      this.#throttledUntil = Math.max(this.#throttledUntil, performance.now() + Math.min(throttleMs, LONGEST_THROTTLE_MS));
    },
  };

  constructor(bootstrap: BrokerAddress) {
    this.#bootstrap = bootstrap;
  }

  /**
   * The bootstrap broker in the form kafkajs takes. It cuts `host:port` at the first colon, which no IPv6 address
   * survives, so such a host is handed over under another name and put back in `open`.
   */
  get bootstrapName(): string {
    const { host, port } = this.#bootstrap;
    return `${net.isIPv6(host) ? ipv6Alias : host}:${port}`;
  }

  /** The first answer that was none. kafkajs wraps it, or reports what followed from it. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  /** For how long the brokers ask us to send nothing, in whole milliseconds; 0: send. */
  get throttledForMs(): number {
    // Nearly always: no clock is read.
    if (this.#throttledUntil === 0) return 0;
    return Math.max(0, Math.ceil(this.#throttledUntil - performance.now()));
  }

  /** When the last wait that a broker asked for ends or ended, monotonic milliseconds; 0: none has asked yet. */
  get throttledUntil(): number {
    return this.#throttledUntil;
  }

  readonly open: ISocketFactory = ({ host, port, ssl, onConnect }: ISocketFactoryArgs) => {
    // kafkajs goes on by itself through all the brokers that an answer named. It rejects its caller when this throws.
    if (this.#isDestroyed) throw new Error('the connection was given up');
    const realHost = host === ipv6Alias ? this.#bootstrap.host : host;
    const socket = isTlsWanted(ssl)
      ? tls.connect({ ...ssl, host: realHost, port, ...(net.isIP(realHost) === 0 && { servername: realHost }) }, onConnect)
      : net.connect({ host: realHost, port }, onConnect);
    socket.setKeepAlive(true, keepAliveDelayMs);
    // Without it the second of two batches on their way waits for the other side's delayed ACK, up to 40 ms.
    socket.setNoDelay(true);

    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    // kafkajs's type asks for a whole socket. It uses the four methods that a GuardedSocket has.
    return new GuardedSocket(socket, this.#observer) as unknown as net.Socket;
  };

  /** Ends every socket at once. kafkajs hears of it as an error, and rejects what it was still waiting for. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const socket of this.#open) socket.destroy(new Error('the connection was given up'));
  }
}

/** A name that cannot be resolved or configured: it is not a legal host name. */
const ipv6Alias = '_bootstrap_';

/** kafkajs's types promise TLS options; without TLS it is undefined all the same. */
function isTlsWanted(ssl: unknown): boolean {
  return ssl !== undefined && ssl !== null && ssl !== false;
}
