import { isIP, isIPv6, connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { severalAddresses, type AddressGuard } from '../../../shared/addresses/address-guard.js';
import type { ProxyAddress } from '../../../shared/config/proxy-address.js';
import { matchesRule, normalHost, type DestinationRule } from '../../../shared/domain/addresses/destination-rule.js';
import type { TlsClient } from '../../../shared/tls/tls-client.js';
import { ConnectTimedOut, ProxyRefused, ProxyUnavailable } from './proxy-errors.js';
import type { ProxyState } from './proxy-state.js';
import { USER_AGENT } from './user-agent.js';

/** DESTINATION_PROXY and what belongs to it. */
export interface ProxySettings extends ProxyAddress {
  /** It looks names up itself: then only literal addresses, and names that are denied, are judged here. */
  readonly resolves: boolean;
  /** Our side of TLS with the proxy; undefined: the authorities that Node knows. */
  readonly tls?: TlsClient | undefined;
  /** What is connected to directly. */
  readonly bypass: readonly DestinationRule[];
}

export interface TunnelTarget {
  readonly hostname: string;
  readonly port: number;
}

type Opened = (error: Error | null, socket: Socket | null) => void;

const MOST_HEAD_BYTES = 16_384;

/** Networks hold for addresses that the url itself names. Names are looked up later, and by then the road is chosen. */
export function goesPast({ bypass }: ProxySettings, { hostname, port }: TunnelTarget): boolean {
  const dialed = { host: normalHost(hostname), port };
  return bypass.some((rule) => matchesRule(rule, dialed, isIP(dialed.host) === 0 ? undefined : dialed.host));
}

/**
 * Makes a connection through the proxy, by CONNECT, for http: urls too: so the proxy gets the address that was judged, and the receiver the
 * name. With TLS the caller speaks with the receiver itself, and what it shows there, the proxy never sees.
 *
 * @param state   is told what is seen of the proxy
 * @param limitMs for all of it; the proxy itself has half of it to take the connection
 * @returns the socket to the proxy, which the caller may destroy at any time. `opened` is called once
 */
export function openTunnel(proxy: ProxySettings, state: ProxyState, target: TunnelTarget, guard: AddressGuard, limitMs: number, opened: Opened): Socket {
  const first = connectToProxy(proxy, guard);
  new Tunnel(proxy, state, target, first, limitMs, opened).open(guard);
  return first;
}

function connectToProxy({ host, port, isSecure, tls }: ProxySettings, guard: AddressGuard): Socket {
  // The operator has named it.
  const lookup = guard.ofOperator.lookupFor(port);
  const socket = isSecure ? connectTls({ host, port, lookup, ...severalAddresses, ...(tls === undefined ? {} : { secureContext: tls.secureContext }), ...(isIP(host) === 0 && { servername: host }) }) : connectTcp({ host, port, lookup, ...severalAddresses });
  // What comes after the tunnel is made reaches its user by other events; without a listener of ours an error in between would end the process.
  return socket.setNoDelay(true).setKeepAlive(true, 60_000).on('error', () => undefined);
}

class Tunnel {
  #timer: NodeJS.Timeout;
  #isOver = false;
  #isConnected = false;
  /** The end of the connection is the answer to CONNECT from here on. */
  #isAsked = false;

  constructor(
    private readonly proxy: ProxySettings,
    private readonly state: ProxyState,
    private readonly target: TunnelTarget,
    private readonly socket: Socket,
    limitMs: number,
    private readonly opened: Opened,
  ) {
    const half = Math.ceil(limitMs / 2);
    this.#timer = setTimeout(() => {
      if (!this.#isConnected) this.#unreachable(`the proxy takes no connection within ${half} ms`);
      // It has the request, and waits for the receiver.
      else this.#timer = setTimeout(() => this.#fail(new ConnectTimedOut(`the proxy has made no connection within ${limitMs} ms`)), limitMs - half);
    }, half);
  }

  open(guard: AddressGuard): void {
    const { socket, proxy, target } = this;
    socket.once('error', this.#onError).once('close', this.#onClose);
    const connected = new Promise<void>((resolve) => socket.once(proxy.isSecure ? 'secureConnect' : 'connect', () => {
      this.#isConnected = true;
      this.state.reached();
      resolve();
    }));
    const host = target.hostname.replace(/^\[(.*)\]$/, '$1');
    const place = proxy.resolves ? Promise.resolve(host) : addressOf(host, guard.lookupFor(target.port));
    Promise.all([place, connected]).then(([found]) => this.#ask(found), (error: unknown) => this.#fail(error instanceof Error ? error : new Error(String(error))));
  }

  #ask(place: string): void {
    if (this.#isOver) return;
    const { proxy: { authorization }, target: { port }, socket } = this;
    const authority = `${isIPv6(place) ? `[${place}]` : place}:${port}`;
    this.#isAsked = true;
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: ${USER_AGENT}\r\n${authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`}\r\n`);
    let head = Buffer.alloc(0);
    const onReadable = (): void => {
      for (let piece = read(socket); piece !== null; piece = read(socket)) {
        head = Buffer.concat([head, piece]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0 && head.length <= MOST_HEAD_BYTES) continue;
        socket.off('readable', onReadable);
        this.#judge(head.subarray(0, Math.max(end, 0)).toString('latin1'), head.subarray(end + 4));
        return;
      }
    };
    socket.on('readable', onReadable);
  }

  /** The text of the answer is for people who use a browser: only its status is told. */
  #judge(head: string, rest: Buffer): void {
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(head)?.[1]);
    if (status >= 200 && status <= 299) {
      this.#end();
      this.state.worked(true);
      // The receiver has spoken before it was asked: see early-bytes.ts.
      if (rest.length > 0) this.socket.unshift(rest);
      this.opened(null, this.socket);
    } else if (Number.isNaN(status)) this.#unusable('what listens there does not answer as a proxy');
    else if (status === 407) this.#unusable('the proxy asks for another login (407)');
    else {
      this.state.worked(false);
      this.#fail(new ProxyRefused(`the proxy has made no connection: it answered ${status}`));
    }
  }

  /** A proxy that has let us in before may have a rule for this receiver. Then an attempt is used, or a task to it would never end. */
  #unusable(why: string): void {
    if (this.#isOver) return;
    const error = new ProxyUnavailable(why);
    this.state.unusable(error);
    this.#fail(this.state.hasLetUsIn ? new ProxyRefused(`the proxy has made no connection: ${why}`) : error);
  }

  #unreachable(why: string): void {
    if (this.#isOver) return;
    const error = new ProxyUnavailable(why);
    this.state.unreachable(error);
    this.#fail(error);
  }

  /** Whatever a proxy does to one CONNECT, it does for its receiver: the next task has another. */
  readonly #onError = (error: Error): void => {
    const why = 'code' in error ? String(error.code) : error.name;
    if (this.#isAsked) this.#fail(new ProxyRefused(`the proxy has ended the connection before it answered: ${why}`));
    else if (this.#isConnected) this.#fail(new ProxyUnavailable(`the proxy has ended the connection before it was asked: ${why}`));
    else this.#unreachable(`the proxy cannot be reached: ${why}`);
  };

  /** Without an error before: the proxy has closed it, or our side has given up. */
  readonly #onClose = (): void => this.#fail(this.#isAsked ? new ProxyRefused('the proxy has closed the connection before it answered') : new ProxyUnavailable('the connection to the proxy was closed before it was asked'));

  #fail(error: Error): void {
    if (!this.#end()) return;
    if (!this.#isConnected) this.state.untried();
    this.socket.destroy();
    this.opened(error, null);
  }

  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.socket.off('error', this.#onError).off('close', this.#onClose);
    return true;
  }
}

function read(socket: Socket): Buffer | null {
  // No encoding is ever set.
  return socket.read() as Buffer | null;
}

/**
 * One that was judged. A proxy is asked for a single address, and often has no IPv6, so IPv4 comes first.
 * @throws what the look-up fails with
 */
function addressOf(host: string, lookup: LookupFunction): Promise<string> {
  if (isIP(host) !== 0) return Promise.resolve(host);
  return new Promise((resolve, reject) => {
    lookup(host, { all: true }, (error, found) => {
      if (error !== null) reject(error);
      else if (Array.isArray(found)) resolve((found.find(({ family }) => family === 4) ?? found[0])?.address ?? '');
      else resolve(found);
    });
  });
}
