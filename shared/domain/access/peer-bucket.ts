/** `::ffff:192.0.2.1`: an IPv4 client of a port that listens on IPv6 too. */
const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
/** A client has a /64 at least, and may take another address in it for each connection. */
const GROUPS_OF_NETWORK = 4;

/**
 * The name under which the wrong keys of an address are counted: an IPv4 address itself, and the /64 of an IPv6 address.
 * `192.0.2.1` -> `192.0.2.1`, `2001:db8::1:2:3` -> `2001:db8:0:0::/64`
 *
 * @param address as Node prints the address of a peer; undefined for a connection that is gone
 */
export function peerBucketOf(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const mapped = MAPPED_IPV4.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [ip = ''] = address.split('%');
  const [head = '', tail] = ip.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return `${[...left, ...gap, ...right].slice(0, GROUPS_OF_NETWORK).join(':')}::/64`;
}
