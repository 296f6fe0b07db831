import { isIP } from 'node:net';
import { Redis, type RedisOptions } from 'ioredis';
import type { RedisConfig } from '../config/config.js';
import type { HostPort } from '../config/variable-kinds.js';
import { handshakeError } from '../tls/handshake-error.js';
import { speaksTls } from '../tls/speaks-tls.js';
import { TlsClient } from '../tls/tls-client.js';
import { refusedUnasked } from './refused-unasked.js';
import { faultOfPort, healing, redisFaultOf, refused, type RedisFault, type RedisRole } from './redis-fault.js';
import { redisErrorCause, redisErrorCode } from './redis-error.js';
import { faultOfKind, kindOf, NO_CLUSTER, NO_SENTINEL } from './wrong-mode.js';
import { announcedName, rememberAnnouncedNames, tlsOptions, type RedisTlsClient } from './redis-tls.js';

/** For one connection, and for one answer, ms. */
const LIMIT_MS = 2_000;
/** Nodes of a cluster that are looked at. */
const MOST_NODES = 50;
const SLOTS = 16_384;

export interface Diagnosis {
  /** What is wrong, by server: `10.0.0.1:6379`. */
  readonly faults: ReadonlyMap<string, RedisFault>;
  /** No server lets us in, and none of them will without a change. */
  readonly isHopeless: boolean;
}

/** A server that lets us in answers what it was asked. */
type Finding<T> = { readonly name: string } & ({ readonly kind: 'well'; readonly answer: T } | { readonly kind: 'fault'; readonly fault: RedisFault } | { readonly kind: 'away' });

/**
 * Finds out why no connection comes about. ioredis keeps to itself what happens on the connections that it makes to sentinels and
 * nodes of a cluster. So each server gets one connection of ours, which tells. Never rejects.
 */
export async function diagnoseRedis(config: RedisConfig): Promise<Diagnosis> {
  const tls = clientOf(config.tls);
  const node = async <T>(address: HostPort, ask: (redis: Redis) => Promise<T>, announced?: string): Promise<Finding<T>> =>
    askServer('redis', { ...address, ...loginOf(config), ...(tls !== undefined && { tls: tlsOptions(tls, address.host, announced) }) }, address, ask);
  const ping = (redis: Redis): Promise<unknown> => redis.ping();
  /** What a connection of the service does before it is ready. */
  const select = (redis: Redis): Promise<unknown> => (config.mode === 'cluster' ? ping(redis) : askForDatabase(redis, config.db));
  switch (config.mode) {
    case 'standalone':
      return conclude([[await node(config.address, select)]]);
    case 'sentinel': {
      const sentinelTls = clientOf(config.sentinelTls);
      const { sentinels, masterName, sentinelPassword: password } = config;
      const found = await Promise.all(sentinels.map((address) =>
        askServer('sentinel', { ...address, ...(password !== undefined && { password }), ...(sentinelTls !== undefined && { tls: tlsOptions(sentinelTls, address.host) }) }, address, (redis) => askForMaster(redis, masterName))));
      const [master] = found.flatMap((finding) => (finding.kind === 'well' ? [finding.answer] : []));
      return conclude([found, master === undefined ? [] : [await node(master, select)]]);
    }
    case 'cluster': {
      if (tls !== undefined) rememberAnnouncedNames();
      const found = await Promise.all(config.nodes.map((address) => node(address, askForNodes)));
      const [named = []] = found.flatMap((finding) => (finding.kind === 'well' ? [finding.answer] : []));
      const ofNamed = await Promise.all(named.slice(0, MOST_NODES).map((address) => node(address, ping, announcedName(nodeName(address)))));
      return conclude([found.filter((finding) => !ofNamed.some((other) => isSameServer(other, finding))), [...ofNamed, ...found.filter((finding) => isUnnamed(finding, ofNamed))]]);
    }
  }
}

/** @param stages servers that stand for each other: sentinels, nodes. Hopeless is what no server of a stage lets through */
function conclude(stages: readonly (readonly Finding<unknown>[])[]): Diagnosis {
  const faults = stages.flat().flatMap((finding) => (finding.kind === 'fault' ? [[finding.name, finding.fault] as const] : []));
  // One line is enough for what all nodes say.
  const [first] = faults.flatMap(([name, { isOfCluster }]) => (isOfCluster === true ? [name] : []));
  return { faults: new Map(faults.filter(([name, { isOfCluster }]) => isOfCluster !== true || name === first)), isHopeless: stages.some(keepsOut) };
}

/** Whether waiting is of no use. One node that lets us in is enough to wait: certificates and settings are changed node by node. */
function keepsOut(stage: readonly Finding<unknown>[]): boolean {
  return stage.length > 0 && stage.every((finding) => finding.kind === 'fault' && !finding.fault.canHeal);
}

/** A cluster may name a node by its address, and we by a name. */
function isSameServer(one: Finding<unknown>, other: Finding<unknown>): boolean {
  return one.kind === 'fault' && other.kind === 'fault' && one.fault.text === other.fault.text && portOf(one) === portOf(other);
}

/** It lets us in, and the others do not name it: a replica that has got nothing from its master yet. Behind a name may be one that they name by address. */
function isUnnamed(finding: Finding<unknown>, named: readonly Finding<unknown>[]): boolean {
  const isByName = isIP(finding.name.slice(0, finding.name.lastIndexOf(':'))) === 0;
  return finding.kind === 'well' && !named.some((other) => other.name === finding.name || (isByName && portOf(other) === portOf(finding)));
}

function portOf({ name }: Finding<unknown>): string {
  return name.slice(name.lastIndexOf(':'));
}

/** As the cluster writes it: `10.0.0.1:6379`. */
function nodeName({ host, port }: HostPort): string {
  return `${host}:${port}`;
}

async function askServer<T>(role: RedisRole, options: RedisOptions, address: HostPort, ask: (redis: Redis) => Promise<T>): Promise<Finding<T>> {
  const name = nodeName(address);
  // Its check whether a server is ready waits without an end for one that loads its data, and tells nobody.
  const redis = new Redis({ ...options, lazyConnect: true, enableReadyCheck: false, retryStrategy: () => null, maxRetriesPerRequest: 0, connectTimeout: LIMIT_MS, commandTimeout: LIMIT_MS } as RedisOptions & { replyMapping: 'legacy' });
  let first: Error | undefined;
  redis.on('error', (error: Error) => {
    first ??= error;
  });
  try {
    await redis.connect();
    return { name, kind: 'well', answer: await ask(redis) };
  } catch (thrown) {
    if (thrown instanceof Unfit) return { name, kind: 'fault', fault: thrown.fault };
    const fault = redisFaultOf(first ?? thrown, role) ?? redisFaultOf(thrown, role) ?? (await faultAtPort(role, options, address));
    return fault === undefined ? { name, kind: 'away' } : { name, kind: 'fault', fault };
  } finally {
    redis.disconnect();
  }
}

/** What two connections without ioredis tell. It writes as soon as it may, and so may miss why a server ends a connection. */
async function faultAtPort(role: RedisRole, { tls }: RedisOptions, address: HostPort): Promise<RedisFault | undefined> {
  // Our own files may be of no use just now.
  const refusal = async (): Promise<Error | undefined> => (tls === undefined ? refusedUnasked(address) : handshakeError({ ...tls, ...address }, LIMIT_MS));
  const [error, speaks] = await Promise.all([refusal().catch(() => undefined), speaksTls(address, LIMIT_MS)]);
  return redisFaultOf(error, role) ?? faultOfPort(speaks, tls !== undefined, role);
}

/** The server is well, and not the one that is meant. */
class Unfit extends Error {
  constructor(readonly fault: RedisFault) {
    super(fault.text);
  }
}

async function askForDatabase(redis: Redis, db: number): Promise<void> {
  // Redis begins with 0, and ioredis does not ask for it.
  if (db !== 0) await redis.select(db).catch(async (error: unknown) => {
    const kind = await kindOf(redis);
    if (kind !== undefined) throw new Unfit(faultOfKind[kind]);
    // `DB index is out of range`, and what a node of a cluster answers, have no code of their own.
    throw redisErrorCode(error) === 'ERR' ? new Unfit(refused(`refuses database ${db}, check REDIS_DB: ${redisErrorCause(error)}`)) : error;
  });
  await redis.ping();
}

async function askForMaster(sentinel: Redis, masterName: string): Promise<HostPort> {
  const answer: unknown = await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName).catch((error: unknown) => {
    throw redisErrorCode(error) === 'ERR' ? new Unfit(NO_SENTINEL) : error;
  });
  if (!Array.isArray(answer)) throw new Unfit(refused(`knows no master of the name ${masterName}, check REDIS_MASTER_NAME`));
  return { host: String(answer[0]), port: Number(answer[1]) };
}

/** Every node answers to its name, and none takes a key. @param info what a node answers to CLUSTER INFO. @returns undefined: it works */
function faultOfCluster(info: string): RedisFault | undefined {
  if (!/^cluster_state:fail/m.test(info)) return undefined;
  const [served, failing] = ['ok', 'pfail'].map((name) => Number(new RegExp(`^cluster_slots_${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0));
  const missing = SLOTS - (served ?? 0) - (failing ?? 0);
  return { ...healing(`says that the cluster is down (cluster_state:fail): ${missing > 0 ? `${missing} of ${SLOTS} slots have no master that works` : 'it has not heard of enough other masters'}`), isOfCluster: true };
}

/** @returns all nodes with slots, and their replicas, as the cluster names them */
async function askForNodes(redis: Redis): Promise<HostPort[]> {
  // It is asked before: what a server without cluster support, or a sentinel, answers to CLUSTER has no code of its own.
  const info = await redis.info('cluster');
  if (/^cluster_enabled:0/m.test(info)) throw new Unfit(NO_CLUSTER);
  if ((await kindOf(redis)) === 'sentinel') throw new Unfit(faultOfKind.sentinel);
  const ranges: unknown = await redis.cluster('SLOTS');
  // A client of the cluster asks for it before it is ready, and connects again when that is not allowed.
  const down = faultOfCluster(await redis.cluster('INFO'));
  if (down !== undefined) throw new Unfit(down);
  const rows = (Array.isArray(ranges) ? (ranges as unknown[]) : []).map((range): unknown[] => (Array.isArray(range) ? range.slice(2) : []));
  // The master of each range stands first. It is named first, because only so many nodes are looked at.
  const named = new Map<string, HostPort>();
  for (const node of [...rows.map(([master]) => master), ...rows.flat()]) {
    if (!Array.isArray(node) || typeof node[0] !== 'string' || node[0] === '') continue;
    const address = { host: node[0], port: Number(node[1]) };
    named.set(nodeName(address), address);
  }
  return [...named.values()];
}

function loginOf({ username, password }: RedisConfig): { username?: string; password?: string } {
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
}

function clientOf(tls: RedisConfig['tls']): RedisTlsClient | undefined {
  return tls === false ? undefined : { client: new TlsClient(tls.files), servername: tls.servername };
}
