import net from 'node:net';
import tls from 'node:tls';

import type { ISocketFactory, ISocketFactoryArgs } from 'kafkajs';

import { createAnswerSizeGuard } from './answer-size-guard.js';
import type { BrokerAddress } from './cluster-identity.js';

/** How long an idle connection is left before TCP asks whether the other side is still there. */
const keepAliveDelayMs = 30_000;

/**
 * Opens the sockets of one kafkajs producer and keeps hold of them, because kafkajs lets go of some: after a connect
 * timeout, and in front of a frozen broker, it ends a socket that will never close by itself.
 */
export class BrokerSockets {
  readonly #open = new Set<net.Socket>();
  readonly #bootstrap: BrokerAddress;

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

  readonly open: ISocketFactory = ({ host, port, ssl, onConnect }: ISocketFactoryArgs) => {
    const realHost = host === ipv6Alias ? this.#bootstrap.host : host;
    const socket = isTlsWanted(ssl)
      ? tls.connect({ ...ssl, host: realHost, port, ...(net.isIP(realHost) === 0 && { servername: realHost }) }, onConnect)
      : net.connect({ host: realHost, port }, onConnect);
    socket.setKeepAlive(true, keepAliveDelayMs);
    // Without it the second of two batches on their way waits for the other side's delayed ACK, up to 40 ms.
    socket.setNoDelay(true);

    const staysWithinLimit = createAnswerSizeGuard();
    socket.on('data', (chunk: Buffer) => {
      if (!staysWithinLimit(chunk)) socket.destroy(new Error('the other side is no Kafka broker: its answer is too long'));
    });
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return socket;
  };

  /** Ends every socket at once. kafkajs hears of it as an error, and rejects what it was still waiting for. */
  destroy(): void {
    for (const socket of this.#open) socket.destroy(new Error('the connection was given up'));
  }
}

/** A name that cannot be resolved or configured: it is not a legal host name. */
const ipv6Alias = '_bootstrap_';

/** kafkajs's types promise TLS options; without TLS it is undefined all the same. */
function isTlsWanted(ssl: unknown): boolean {
  return ssl !== undefined && ssl !== null && ssl !== false;
}
