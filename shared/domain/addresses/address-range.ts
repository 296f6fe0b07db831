import ipaddr from 'ipaddr.js';

/**
 * What an address of IP is, as far as a policy tells addresses apart.
 *
 * | range | what is in it |
 * |---|---|
 * | `public` | unicast that the internet routes |
 * | `private` | networks of one's own: RFC 1918, RFC 6598 (carrier-grade NAT, which clusters use for pods), unique local IPv6 |
 * | `loopback` | this machine: 127.0.0.0/8, ::1, and `0.0.0.0` and `::`, which connect to it |
 * | `metadata` | services of a cloud that hand out credentials to whatever asks them |
 * | `other` | link-local, multicast, reserved, documentation, benchmarks, tunnels: no receiver has such an address on purpose |
 */
export type AddressRange = 'public' | 'private' | 'loopback' | 'metadata' | 'other';

/** Without a zone. An address that is none ends the search for its range. */
type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Where clouds answer with credentials or settings of the machine. Most are link-local; these lists have the others too, which libraries
 * of ranges call public or private. Sources: the documentation of each cloud.
 */
const METADATA: ReadonlySet<string> = new Set([
  '169.254.169.254', // AWS, Azure, Google, OpenStack, DigitalOcean, Oracle
  '169.254.169.253', // AWS: its resolver of names
  '169.254.169.123', // AWS: its clock
  '169.254.170.2', // AWS: credentials of ECS tasks
  '169.254.170.23', // AWS: credentials of EKS pods
  '169.254.0.23', // Tencent
  '100.100.100.200', // Alibaba
  '168.63.129.16', // Azure: the host's agent, at an address that looks public
  '192.0.0.192', // Oracle
  'fd00:ec2::254', // AWS
  'fd00:ec2::253', // AWS: its resolver of names
  'fd00:ec2::23', // AWS: credentials of EKS pods
  'fd20:ce::254', // Google
  'fe80::a9fe:a9fe', // OpenStack
]);

/**
 * @param text an address as a resolver or a url writes it: `10.0.0.1`, `::1`, `[::1]`, `fe80::1%eth0`
 * @returns undefined when it is no address
 */
export function rangeOf(text: string): AddressRange | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : rangeOfParsed(address);
}

/** @returns undefined when it is no address. An IPv4 address inside of an IPv6 one is what it returns */
function parseAddress(text: string): Address | undefined {
  const address = parseAsWritten(text);
  return address === undefined ? undefined : unwrapped(address);
}

function parseAsWritten(text: string): Address | undefined {
  // The zone says which link of this machine: it changes nothing about what the address is.
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  // ipaddr.js takes shorthands such as `127.1`, and a resolver or a url never gives one.
  const isAddress = bare.includes(':') ? ipaddr.IPv6.isValid(bare) : ipaddr.IPv4.isValidFourPartDecimal(bare);
  return isAddress ? ipaddr.parse(bare) : undefined;
}

/** A network by its first address and the bits that all its addresses share. */
export type Network = readonly [base: Address, bits: number];

/**
 * Reads `10.0.0.0/8`, `fd00::/8`, and an address alone, which is a network of one.
 * @returns undefined when it is neither
 */
export function parseNetwork(text: string): Network | undefined {
  const [, base = text, bitsText] = /^(.*)\/(\d{1,3})$/.exec(text) ?? [];
  const address = base.includes('%') ? undefined : parseAsWritten(base);
  if (address === undefined) return undefined;
  const most = address.kind() === 'ipv6' ? 128 : 32;
  const bits = bitsText === undefined ? most : Number(bitsText);
  return bits <= most ? [address, bits] : undefined;
}

/** @param text an address, in the forms of rangeOf. An IPv4 address inside of an IPv6 one is in the networks of both */
export function isInNetwork(text: string, [base, bits]: Network): boolean {
  const address = parseAsWritten(text);
  if (address === undefined) return false;
  return [address, unwrapped(address)].some((candidate) => candidate.kind() === base.kind() && candidate.match(base, bits));
}

/** Whether two texts are the same address. */
export function isSameAddress(a: string, b: string): boolean {
  const [left, right] = [parseAddress(a), parseAddress(b)];
  return left !== undefined && right !== undefined && left.toString() === right.toString();
}

function rangeOfParsed(address: Address): AddressRange {
  if (METADATA.has(address.toString())) return 'metadata';
  switch (address.range()) {
    case 'unicast':
      // What nobody has given out yet, such as 100:0:0:1::1, is unicast for the library.
      return address.kind() === 'ipv4' || isIn(address, GLOBAL_UNICAST) ? 'public' : 'other';
    case 'private':
    case 'uniqueLocal':
    case 'carrierGradeNat':
      return 'private';
    case 'loopback':
      return 'loopback';
    case 'unspecified':
      // The library counts all of 0.0.0.0/8 here, and only the first of them connects to this machine.
      return ['0.0.0.0', '::'].includes(address.toString()) ? 'loopback' : 'other';
    default:
      return 'other';
  }
}

const GLOBAL_UNICAST = network('2000::/3');

/**
 * Ways to write an IPv4 address as an IPv6 one, each of which a machine or its network may turn into a connection to the IPv4
 * address. `at` = the byte at which it stands.
 */
const EMBEDDINGS: readonly { readonly network: [ipaddr.IPv6, number]; readonly at: number; readonly isInverted?: true }[] = [
  { network: network('::ffff:0:0/96'), at: 12 }, // mapped
  { network: network('::ffff:0:0:0/96'), at: 12 }, // translated (SIIT)
  { network: network('64:ff9b::/96'), at: 12 }, // NAT64
  { network: network('64:ff9b:1::/48'), at: 12 }, // NAT64 of one's own
  { network: network('2002::/16'), at: 2 }, // 6to4
  { network: network('2001::/32'), at: 12, isInverted: true }, // Teredo
];
const COMPATIBLE = network('::/96');

function unwrapped(address: Address): Address {
  if (address.kind() === 'ipv4') return address;
  const bytes = address.toByteArray();
  const embedding = EMBEDDINGS.find((candidate) => isIn(address, candidate.network));
  if (embedding !== undefined) {
    const inner = bytes.slice(embedding.at, embedding.at + 4);
    return new ipaddr.IPv4(embedding.isInverted === true ? inner.map((byte) => byte ^ 0xff) : inner);
  }
  // `::7f00:1` is 127.0.0.1 in a form that is no longer used; `::` and `::1` have a meaning of their own.
  const inner = bytes.slice(12);
  return isIn(address, COMPATIBLE) && inner.some((byte, nth) => byte > (nth === 3 ? 1 : 0)) ? new ipaddr.IPv4(inner) : address;
}

function isIn(address: Address, [base, bits]: [ipaddr.IPv6, number]): boolean {
  return address.kind() === 'ipv6' && address.match(base, bits);
}

function network(cidr: string): [ipaddr.IPv6, number] {
  return ipaddr.IPv6.parseCIDR(cidr);
}
