import dns from 'node:dns';
import net, { type LookupFunction } from 'node:net';

import { everyAddress, refusalOfAddress, refusalOfHost, refusalOfUnresolved, type DestinationPolicy, type IsOwnRedis } from '../domain/addresses/destination-policy.js';
import { normalHost, type Dialed } from '../domain/addresses/destination-rule.js';
import { rangeOf } from '../domain/addresses/address-range.js';
import { remembered } from '../domain/remembered.js';

export const ADDRESS_FORBIDDEN = 'ERR_ADDRESS_FORBIDDEN';

/**
 * For each connection by a name: all its addresses are tried, in both families. Node ends one try before it begins the next one, so its
 * default of 250 ms gives up a healthy host half a world away when its name has a second address that does not answer; 300 ms, as of a
 * client that lets the first try go on beside the next one (RFC 8305), would do the same.
 */
export const severalAddresses = { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 1_000 } as const;

/**
 * The address policy forbids a connection. The message is shown to clients, so it does not say what a name resolves to, nor by which
 * rule; `reason` does, for the operator's log.
 */
export class AddressForbidden extends Error {
  readonly code = ADDRESS_FORBIDDEN;

  constructor(
    { host, port }: Dialed,
    readonly reason: string,
  ) {
    super(`the address policy of this deployment forbids ${net.isIPv6(host) ? `[${host}]` : host}:${port}`);
    this.name = 'AddressForbidden';
  }
}

/** Every address of a name, as dns.lookup with `all` finds them. */
export type LookupAll = (
  hostname: string,
  options: dns.LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: readonly dns.LookupAddress[]) => void,
) => void;

export interface AddressGuardOptions {
  readonly policy: DestinationPolicy;
  readonly isOwnRedis: IsOwnRedis;
  /** Told once for each refusal at a connection. */
  readonly onForbidden?: (error: AddressForbidden) => void;
  /** The default is dns.lookup, which asks as all programs of the machine do (/etc/hosts, DNS). */
  readonly lookup?: LookupAll;
}

/**
 * Stands in every door through which tasks leave: a connection is made only to an address that it has judged. Node connects to what a
 * look-up answers, so a name cannot mean another address a moment later.
 */
export class AddressGuard {
  /** For what the operator has named: it refuses only what is never sent to. */
  readonly ofOperator: AddressGuard;
  readonly #options: AddressGuardOptions;
  /** Each task that is submitted asks, and most name one of a few hosts. What is Redis may change, so it is asked each time. */
  readonly #judge = remembered(2_000, (place) => this.#judgeHost(place));

  constructor(options: AddressGuardOptions) {
    this.#options = options;
    this.ofOperator = options.policy === everyAddress ? this : new AddressGuard({ ...options, policy: everyAddress });
  }

  /**
   * What is certain without a look-up. Node makes no look-up for an address, so each door asks this first.
   * @param host a name or an address, with or without brackets
   */
  refusalOf(host: string, port: number): AddressForbidden | undefined {
    const { dialed, isAddress, reason } = this.#judge(`${port} ${host}`);
    if (reason !== undefined) return this.#forbid(dialed, reason);
    if (!isAddress || !this.#options.isOwnRedis(dialed.host, port)) return undefined;
    return this.#forbid(dialed, refusalOfHost(this.#options.policy, dialed, () => true) ?? 'it is the Redis of this service');
  }

  /** Behind refusalOf, for a host that a proxy looks up. */
  refusalOfUnresolved(host: string, port: number): AddressForbidden | undefined {
    const dialed = { host: normalHost(host), port };
    const reason = refusalOfUnresolved(this.#options.policy, dialed);
    return reason === undefined ? undefined : this.#forbid(dialed, reason);
  }

  /** @param place port and host, with a space between them */
  #judgeHost(place: string): { readonly dialed: Dialed; readonly isAddress: boolean; readonly reason: string | undefined } {
    const end = place.indexOf(' ');
    const dialed = { host: normalHost(place.slice(end + 1)), port: Number(place.slice(0, end)) };
    return { dialed, isAddress: rangeOf(dialed.host) !== undefined, reason: refusalOfHost(this.#options.policy, dialed, () => false) };
  }

  /**
   * The look-up for connections to one port, for net.connect and tls.connect. It fails with AddressForbidden when one of the name's
   * addresses is forbidden: which of them a connection would use is a matter of chance.
   */
  lookupFor(port: number): LookupFunction {
    const { policy, isOwnRedis, lookup = dns.lookup } = this.#options;
    return (hostname, options, callback) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null) {
          callback(error, []);
          return;
        }
        const dialed = { host: normalHost(hostname), port };
        for (const { address } of addresses) {
          const reason = refusalOfAddress(policy, dialed, address, isOwnRedis);
          if (reason === undefined) continue;
          callback(this.#forbid(dialed, reason), []);
          return;
        }
        const [first] = addresses;
        if (first === undefined) callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname }), []);
        else if (options.all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      });
    };
  }

  #forbid(dialed: Dialed, reason: string): AddressForbidden {
    const error = new AddressForbidden(dialed, reason);
    this.#options.onForbidden?.(error);
    return error;
  }
}

/** For a deployment without a policy, which knows of no Redis. */
export function openGuard(): AddressGuard {
  return new AddressGuard({ policy: everyAddress, isOwnRedis: () => false });
}
