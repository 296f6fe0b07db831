import { rangeOf, type AddressRange } from './address-range.js';
import { isUnsafePort } from './unsafe-port.js';
import { matchesRule, type DestinationRule, type Dialed } from './destination-rule.js';

/** As in DESTINATION_POLICY. */
export const policyLevels = ['public', 'internal', 'any'] as const;
export type PolicyLevel = (typeof policyLevels)[number];

export interface DestinationPolicy {
  readonly level: PolicyLevel;
  readonly allow: readonly DestinationRule[];
  readonly deny: readonly DestinationRule[];
}

/** For what the operator has named: only what is never sent to is refused. */
export const everyAddress: DestinationPolicy = { level: 'any', allow: [], deny: [] };

/** Whether an address and port are those of the Redis that holds the tasks. */
export type IsOwnRedis = (address: string, port: number) => boolean;

const ALLOWED: Readonly<Record<PolicyLevel, ReadonlySet<AddressRange>>> = {
  public: new Set(['public']),
  internal: new Set(['public', 'private']),
  any: new Set(['public', 'private', 'loopback', 'other']),
};

/** Names of such services, which have no other meaning: where a proxy looks names up, no address is seen here. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
  'metadata.tencentyun.com',
  'api.metadata.cloud.ibm.com',
  'rancher-metadata',
  // These have public addresses, which answer only inside of that cloud.
  'metadata.packet.net',
  'metadata.platformequinix.com',
]);
/** In each region but the first, whose name stands above. */
const METADATA_OF_REGION = /^instance-data\.[a-z0-9-]+\.compute\.internal$/;

/**
 * Decides whether a connection to an address may be made. The order of the rules: what is never sent to, DESTINATION_DENY,
 * DESTINATION_ALLOW, DESTINATION_POLICY.
 *
 * @param address one of the host, as a resolver writes it
 * @returns why not, for the operator, such as `127.0.0.1 is a loopback address (DESTINATION_POLICY=internal)`; undefined = yes
 */
export function refusalOfAddress(policy: DestinationPolicy, dialed: Dialed, address: string, isOwnRedis: IsOwnRedis): string | undefined {
  const range = rangeOf(address);
  if (range === undefined) return `${address} is no address`;
  if (range === 'metadata') return `${address} is the metadata service of a cloud, which is never sent to`;
  if (isOwnRedis(address, dialed.port)) return `${address}:${dialed.port} is the Redis of this service, which is never sent to`;
  const denying = policy.deny.find((rule) => matchesRule(rule, dialed, address));
  if (denying !== undefined) return `${address} of ${dialed.host}:${dialed.port} is in DESTINATION_DENY (${denying.text})`;
  if (policy.allow.some((rule) => matchesRule(rule, dialed, address))) return undefined;
  if (!ALLOWED[policy.level].has(range)) return `${address} is ${nameOf(range)} (DESTINATION_POLICY=${policy.level})`;
  return refusalOfPort(policy, dialed);
}

/**
 * What is certain of a host before its name is looked up: an address is judged whole, and a name or its port may be denied.
 * @returns as refusalOfAddress
 */
export function refusalOfHost(policy: DestinationPolicy, dialed: Dialed, isOwnRedis: IsOwnRedis): string | undefined {
  if (rangeOf(dialed.host) !== undefined) return refusalOfAddress(policy, dialed, dialed.host, isOwnRedis);
  if (METADATA_NAMES.has(dialed.host) || METADATA_OF_REGION.test(dialed.host)) return `${dialed.host} is the metadata service of a cloud, which is never sent to`;
  const denying = policy.deny.find((rule) => matchesRule(rule, dialed, undefined));
  if (denying !== undefined) return `${dialed.host}:${dialed.port} is in DESTINATION_DENY (${denying.text})`;
  // A rule may allow an address that the name turns out to have.
  return policy.allow.length === 0 ? refusalOfPort(policy, dialed) : undefined;
}

/**
 * For a name that somebody else looks up: no rule for networks can allow its port, and a name that means loopback everywhere (RFC 6761) would
 * lead to the proxy itself.
 * @returns as refusalOfAddress
 */
export function refusalOfUnresolved(policy: DestinationPolicy, dialed: Dialed): string | undefined {
  // refusalOfHost has judged an address whole.
  if (rangeOf(dialed.host) !== undefined) return undefined;
  if (policy.allow.some((rule) => matchesRule(rule, dialed, undefined))) return undefined;
  const { host } = dialed;
  if (!ALLOWED[policy.level].has('loopback') && (host === 'localhost' || host.endsWith('.localhost'))) return `${host} is ${nameOf('loopback')} (DESTINATION_POLICY=${policy.level})`;
  return refusalOfPort(policy, dialed);
}

function refusalOfPort({ level }: DestinationPolicy, { host, port }: Dialed): string | undefined {
  return level !== 'any' && isUnsafePort(port) ? `${host}:${port} is a port of programs that could take a message for commands (DESTINATION_POLICY=${level})` : undefined;
}

function nameOf(range: AddressRange): string {
  return range === 'other' ? 'link-local, multicast, or reserved' : `a ${range} address`;
}
