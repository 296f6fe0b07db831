import { canonicalHostPattern } from '../destinations/host-pattern.js';
import { isInNetwork, parseNetwork, type Network } from './address-range.js';

/** One entry of DESTINATION_ALLOW or DESTINATION_DENY. */
export interface DestinationRule {
  /** As it was written, for the log. */
  readonly text: string;
  readonly of: { readonly network: Network } | { readonly host: string; readonly isSuffix: boolean };
  /** undefined = every port. */
  readonly port: number | undefined;
}

/** Where a connection goes. */
export interface Dialed {
  /** The normal form of the name or address that was asked for: see normalHost. */
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `10.0.0.0/8`, `10.1.2.3:9092`, `fd00::/8`, `[fd00::/8]:443`, `hooks.example.com`, `*.example.com:443`.
 * @returns undefined when it is none of them
 */
export function parseDestinationRule(text: string): DestinationRule | undefined {
  const [, bracketed, bare, portText] = /^(?:\[([0-9a-f:.]+(?:\/\d{1,3})?)\]|([^[\]\s]+?))(?::(\d{1,5}))?$/i.exec(withBrackets(text)) ?? [];
  const subject = bracketed ?? bare;
  if (subject === undefined) return undefined;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  const network = parseNetwork(subject);
  if (network !== undefined) return { text, of: { network }, port };
  if (subject.includes('/')) return undefined;
  const pattern = subject === '*' ? undefined : canonicalHostPattern(subject);
  // An address in another spelling, such as 0x7f000001.
  const address = pattern === undefined ? undefined : parseNetwork(pattern);
  if (address !== undefined) return { text, of: { network: address }, port };
  if (pattern === undefined) return undefined;
  const isSuffix = pattern.startsWith('*.');
  return { text, of: { host: isSuffix ? pattern.slice(1) : pattern, isSuffix }, port };
}

/** `fd00::/8` has colons of its own, so what stands behind its last one is no port. */
function withBrackets(text: string): string {
  return /^[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*(\/\d{1,3})?$/i.test(text) ? `[${text}]` : text;
}

/** @param address one to which the host resolves, or undefined while only the host is known */
export function matchesRule({ of, port }: DestinationRule, dialed: Dialed, address: string | undefined): boolean {
  if (port !== undefined && port !== dialed.port) return false;
  if ('network' in of) return address !== undefined && isInNetwork(address, of.network);
  return of.isSuffix ? dialed.host.endsWith(of.host) : dialed.host === of.host;
}

/**
 * The one form in which hosts and rules are compared: lower case, ASCII, no dot at the end, an address in its usual spelling, without
 * brackets and zone. `2130706433` is `127.0.0.1`, as resolvers and urls read it.
 */
export function normalHost(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  return (canonicalHostPattern(bare) ?? bare.toLowerCase().replace(/\.$/, '')).replace(/^\[(.*)\]$/, '$1');
}
