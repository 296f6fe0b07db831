import net from 'node:net';
import tls from 'node:tls';

import type { ISocketFactory, ISocketFactoryArgs } from 'kafkajs';

import { AddressForbidden, severalAddresses, type AddressGuard } from '../addresses/address-guard.js';
import type { TlsClient } from '../tls/tls-client.js';
import { tlsFaultOf, TlsNotSpoken } from '../tls/tls-fault.js';
import type { AnswerFindings } from './answer-check.js';
import type { BrokerAddress } from './cluster-identity.js';
import { GuardedSocket } from './guarded-socket.js';

/** How long an idle connection is left before TCP asks whether the other side is still there. */
const keepAliveDelayMs = 30_000;
/** A broker that asks for more is asked again after this time. */
export const LONGEST_THROTTLE_MS = 900_000;

/** After this share of its time a login is given up, so that what is on its way arrives before the end. */
const SHARE_OF_LOGIN = 0.8;

/** What the sockets to one address have seen. */
interface Seen {
  /** When the last sound answer came, monotonic milliseconds; 0: none has come. */
  heardAt: number;
  /** The first answer that was none. */
  fault: Error | undefined;
  readonly open: Set<net.Socket>;
}

export interface SocketsOwner {
  /** It judges every address before a connection to it is made, those of brokers that a cluster names included. */
  readonly guard: AddressGuard;
  /** A batch for this partition is about to be written. @returns false: it must not leave any more */
  readonly mayLeave: (partition: number) => boolean;
  /** The cluster has named its brokers. */
  readonly onBrokers?: ((brokers: readonly BrokerAddress[]) => void) | undefined;
  /** undefined: without TLS. */
  readonly tls?: TlsClient | undefined;
}

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
  /** When the first of the logins is to be given up, monotonic milliseconds. */
  #loginEndsAt = Infinity;
  readonly #seen = new Map<string, Seen>();
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map();
  readonly #owner: SocketsOwner;

  constructor(bootstrap: BrokerAddress, owner: SocketsOwner) {
    this.#bootstrap = bootstrap;
    this.#owner = owner;
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

  /** The brokers of the cluster by their numbers, as the last answer named them; none before the first one. */
  get brokers(): ReadonlyMap<number, BrokerAddress> {
    return this.#brokers;
  }

  /** The first answer of that broker that was none. */
  faultOf(broker: BrokerAddress): Error | undefined {
    return this.#seen.get(nameOf(broker))?.fault;
  }

  /** The other brokers of the cluster. */
  othersThan(broker: BrokerAddress): BrokerAddress[] {
    return [...this.#brokers.values()].filter((other) => nameOf(other) !== nameOf(broker));
  }

  /** Has that broker answered anything since then? @param since monotonic milliseconds */
  hasAnswered(broker: BrokerAddress, since: number): boolean {
    return (this.#seen.get(nameOf(broker))?.heardAt ?? 0) > since;
  }

  /** Ends the sockets to one broker. kafkajs opens others when it needs them. */
  cut(broker: BrokerAddress): void {
    for (const socket of this.#seen.get(nameOf(broker))?.open ?? []) socket.destroy(new Error('the connection to this broker was given up'));
  }

  /** Whether a login will end soon, or has ended. */
  get isLoginOver(): boolean {
    // Nearly always: no clock is read.
    return this.#loginEndsAt !== Infinity && performance.now() >= this.#loginEndsAt;
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

  readonly open: ISocketFactory = ({ host, port, onConnect }: ISocketFactoryArgs) => {
    // kafkajs goes on by itself through all the brokers that an answer named. It rejects its caller when this throws.
    if (this.#isDestroyed) throw new Error('the connection was given up');
    const realHost = host === ipv6Alias ? this.#bootstrap.host : host;
    const { guard } = this.#owner;
    const refusal = guard.refusalOf(realHost, port);
    if (refusal !== undefined) throw this.#note(refusal, { host: realHost, port });
    const lookup = guard.lookupFor(port);
    const socket = this.#owner.tls === undefined
      ? net.connect({ host: realHost, port, lookup, ...severalAddresses }, onConnect)
      : this.#openSecure(this.#owner.tls, { host: realHost, port, lookup }, onConnect);
    socket.setKeepAlive(true, keepAliveDelayMs);
    // Without it the second of two batches on their way waits for the other side's delayed ACK, up to 40 ms.
    socket.setNoDelay(true);

    this.#open.add(socket);
    socket.once('error', (error) => {
      if (error instanceof AddressForbidden) this.#note(error, { host: realHost, port });
    });
    socket.once('close', () => this.#open.delete(socket));
    // kafkajs's type asks for a whole socket. It uses the four methods that a GuardedSocket has.
    return this.#guard(socket, { host: realHost, port }) as unknown as net.Socket;
  };

  /** Each broker has to prove the name or address that leads to it, and never one name for all. */
  #openSecure(client: TlsClient, { host, port, lookup }: { readonly host: string; readonly port: number; readonly lookup: net.LookupFunction }, onConnect: () => void): tls.TLSSocket {
    const { secureContext } = client;
    const socket = tls.connect({ host, port, lookup, ...severalAddresses, secureContext, ...(net.isIP(host) === 0 && { servername: host }) });
    let isSecure = false;
    socket.once('secureConnect', () => {
      isSecure = true;
      onConnect();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const isOver = error.code === 'ECONNRESET' || error.code === 'EPIPE' || tlsFaultOf(error.code) === 'not_spoken';
      if (!isSecure && isOver) this.#note(new TlsNotSpoken({ cause: error }), { host, port });
    });
    return socket;
  }

  /** kafkajs makes an error of its own of this one, and leaves it out as the cause. */
  #note(fault: Error, broker: BrokerAddress): Error {
    this.#fault ??= fault;
    this.#seenOf(broker).fault ??= fault;
    return fault;
  }

  #seenOf(broker: BrokerAddress): Seen {
    const name = nameOf(broker);
    const seen = this.#seen.get(name) ?? { heardAt: 0, fault: undefined, open: new Set<net.Socket>() };
    this.#seen.set(name, seen);
    return seen;
  }

  #guard(socket: net.Socket, broker: BrokerAddress): GuardedSocket {
    const seen = this.#seenOf(broker);
    seen.open.add(socket);
    socket.once('close', () => seen.open.delete(socket));
    return new GuardedSocket(socket, {
      mayLeave: this.#owner.mayLeave,
      onFault: (fault) => void this.#note(fault, broker),
      onAnswer: (findings) => {
        seen.heardAt = performance.now();
        this.#take(findings);
      },
    });
  }

  #take({ throttleMs, brokers, loginMs }: AnswerFindings): void {
    if (loginMs !== undefined) this.#loginEndsAt = Math.min(this.#loginEndsAt, performance.now() + loginMs * SHARE_OF_LOGIN);
    if (brokers !== undefined) {
      this.#brokers = brokers;
      this.#owner.onBrokers?.([...brokers.values()]);
    }
    if (throttleMs > 0) this.#throttledUntil = Math.max(this.#throttledUntil, performance.now() + Math.min(throttleMs, LONGEST_THROTTLE_MS));
  }

  /** Ends every socket at once. kafkajs hears of it as an error, and rejects what it was still waiting for. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const socket of this.#open) socket.destroy(new Error('the connection was given up'));
  }
}

function nameOf({ host, port }: BrokerAddress): string {
  return `${host}:${port}`;
}

/** A name that cannot be resolved or configured: it is not a legal host name. */
const ipv6Alias = '_bootstrap_';
