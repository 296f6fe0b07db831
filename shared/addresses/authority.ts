import { isIPv4, isIPv6 } from 'node:net';

/** `host[:port]`, as a Host header, a request target and an Origin have it. */
export interface Authority {
  /** In lower case, without a dot at the end, IPv6 in its shortest form: `api.example.com`, `127.0.0.1`, `[::1]`. */
  readonly name: string;
  /** undefined: the default port of the scheme. */
  readonly port: number | undefined;
  /** The name is an IP address. */
  readonly isAddress: boolean;
}

/** A name has at most 253 characters, and a port adds six. */
const MAX_CHARACTERS = 260;
const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|((?:[a-z0-9._~!$&'()*+,;=-]|%[0-9a-f]{2})+))(?::([0-9]*))?$/;

/** @returns undefined for a text that is no `host[:port]` (RFC 3986, 3.2.2), such as `a b`, `user@a` or an empty one */
export function parseAuthority(text: string): Authority | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const [, ipv6, host, digits = ''] = AUTHORITY.exec(text.toLowerCase()) ?? [];
  const port = digits === '' ? undefined : Number(digits);
  if (port !== undefined && port > 65_535) return undefined;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? { name: new URL(`http://[${ipv6}]`).hostname, port, isAddress: true } : undefined;
  if (host === undefined) return undefined;
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  return name === '' ? undefined : { name, port, isAddress: isIPv4(name) };
}

/**
 * Whether a request may ask for this name. IP addresses and `localhost` cannot be given to a page of somebody else (DNS rebinding).
 * @param allowedHosts ALLOWED_HOSTS: `api.example.com`, `*.example.net` (every name below it), in lower case; `any`: every name
 */
export function isAllowedName({ name, isAddress }: Authority, allowedHosts: readonly string[] | 'any'): boolean {
  if (isAddress || name === 'localhost' || allowedHosts === 'any') return true;
  return allowedHosts.some((allowed) => (allowed.startsWith('*.') ? name.endsWith(allowed.slice(1)) && name.length >= allowed.length : name === allowed));
}
