import { keySlot, SLOTS } from '../redis/key-slot.js';
import { ENTRIES_KEPT, entriesKeptOfShard } from './audit/entries-kept.js';
import { queueName, queuePrefix } from './names.js';

/** The part of Redis that has what concerns the whole fleet: settings of operators, reports of workers, counts, the audit, access keys and credentials. */
export const FLEET = 'fleet';

/** Keys of bulk actions, the same for all shards. On a cluster they stand with those of flow control. */
export function bulkKeys(prefix: string, isCluster: boolean): BulkKeys {
  const base = `${slotOfFleet(prefix, isCluster)}:bulk:`;
  return { index: `${base}index`, live: `${base}live`, action: (id) => `${base}action:${id}`, actionBase: `${base}action:`, ids: (id) => `${base}ids:${id}` };
}

export interface BulkKeys {
  /** Sorted set of all actions that are kept, by the time at which they were asked for. */
  readonly index: string;
  /** The same of those whose numbers may still change. */
  readonly live: string;
  /** Hash: the action, without its numbers. */
  action(id: string): string;
  readonly actionBase: string;
  /** List: the ids that were given, in chunks. */
  ids(id: string): string;
}

/** Keys of what the fleet counts by minute and second. On a cluster they stand with those of flow control: the same status needs both. */
export function statsKeys(prefix: string, isCluster: boolean): StatsKeys {
  const base = `${slotOfFleet(prefix, isCluster)}:stats:`;
  return { minute: `${base}minute:`, second: `${base}second:`, failures: `${base}failures:`, dueTurn: `${base}due-turn` };
}

export interface StatsKeys {
  /** The time of its beginning follows, seconds since the epoch. Hash: what was counted in that minute. */
  readonly minute: string;
  /** The same of a second. */
  readonly second: string;
  /** The time of its beginning follows, seconds since the epoch. Hash: the failed sends of those five minutes, by group. */
  readonly failures: string;
  /** The process that has set it counts due tasks; it lapses. */
  readonly dueTurn: string;
}

/**
 * Keys of what operators did. On a cluster they share the slot of flow control, because their scripts touch several, and what was done to the
 * tasks of a shard stands with that shard: see auditKeysOfShard.
 */
export function auditKeys(prefix: string, isCluster: boolean, shards: number): AuditKeys {
  return auditKeysAt(`${slotOfFleet(prefix, isCluster)}:audit:`, isCluster ? { nth: 0, of: shards + 1 } : { nth: 0, of: 1 }, ENTRIES_KEPT);
}

/** On a cluster: in the slot of the shard, so that its tasks can be changed while the part of the fleet is away. */
export function auditKeysOfShard(prefix: string, shard: number, shards: number): AuditKeys {
  return auditKeysAt(`${queuePrefix(prefix, shard, true)}:${queueName(shard)}:audit:`, { nth: shard + 1, of: shards + 1 }, entriesKeptOfShard(shards));
}

function auditKeysAt(base: string, numbers: AuditKeys['numbers'], kept: number): AuditKeys {
  return { log: `${base}log`, beginnings: `${base}beginnings`, ends: `${base}ends`, loose: `${base}loose`, claims: `${base}claims`, salt: `${base}salt`, ofActorBase: `${base}of:`, numbers, kept };
}

export interface AuditKeys {
  /** Sorted set of all entries that this log keeps, by id; an id follows the time. */
  readonly log: string;
  /** Hash: what was to be done, by id, as JSON. */
  readonly beginnings: string;
  /** Hash: what came of it, by id, as JSON. */
  readonly ends: string;
  /** Sorted set of the entries that are not among the newest of their actor: they leave with the newest of all. */
  readonly loose: string;
  /** Sorted set of the names that requests without a key claim, by their last entry. */
  readonly claims: string;
  /** A secret of this deployment, the same in all logs: the hashes of changed fields are made with it. */
  readonly salt: string;
  /** The name of an actor follows. Sorted set: its newest entries. */
  readonly ofActorBase: string;
  /** No key: this log gives those numbers alone that leave `nth` when they are divided by `of`. So no two logs give the same. */
  readonly numbers: { readonly nth: number; readonly of: number };
  /** No key: so many entries this log keeps, of all actors together. */
  readonly kept: number;
}

/** Where access keys are stored. On a cluster they share the slot of flow control, because their scripts touch several. */
export function accessKeys(prefix: string, isCluster: boolean): AccessKeys {
  const base = `${slotOfFleet(prefix, isCluster)}:access:`;
  return { keys: `${base}keys`, version: `${base}version`, lastUses: `${base}last-uses`, sessions: `${base}sessions:`, sessionVersion: `${base}session-version`, rate: (keyId) => `${base}rate:${keyId}`, auditTurns: (keyId, action) => `${base}audit-turns:${keyId}:${action}` };
}

export interface AccessKeys {
  /** Hash: the access keys by id, as JSON, with hashes in place of their secrets. */
  readonly keys: string;
  /** It changes with each change of the hash. */
  readonly version: string;
  /** Hash: when each of them was used last, ms since the epoch, to the minute. */
  readonly lastUses: string;
  /** With the id of an access key behind it. Hash: the sessions that were started with the key, by the SHA-256 of their secrets. */
  readonly sessions: string;
  /** It grows with each session that is ended by somebody: not with one that ends by its age, or with its key. */
  readonly sessionVersion: string;
  /** Hash: the bucket of a key that has a rate limit; it lapses when it would be full. */
  rate(keyId: string): string;
  /** Sorted set: which sign-ins, or sign-outs, of a key the audit has of the last minute. */
  auditTurns(keyId: string, action: string): string;
}

/** It is odd, so that no two halves meet, and three and five masters in equal parts have the same number each. */
export const MARKS = 15;
/** Of a prefix with a brace, which QUEUE_PREFIX refuses, all tags are in one slot. */
const MOST_TRIES = 10_000;

/**
 * What the keys of each mark on a Cluster begin with: the nth one stands in the nth of 15 equal parts of the slots. So no master has most of the marks
 * unless it has about half of the slots. All processes find the same ones: they follow from the prefix alone.
 */
export function markTags(prefix: string): readonly string[] {
  return Array.from({ length: MARKS }, (_, nth) => {
    // Every 15th tag fits: none of 30,000 that were looked at needed more than 170 tries.
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const tag = `{${prefix}-mark-${nth}-${tries}}`;
      if (Math.floor((keySlot(tag) * MARKS) / SLOTS) === nth) return tag;
    }
    throw new Error(`no key of the prefix ${prefix} is in part ${nth} of the slots`);
  });
}

/** The keys of all marks on a Cluster: see version-marks.ts. */
export function versionMarkKeys(prefix: string): readonly VersionMarkKeys[] {
  return markTags(prefix).map((tag) => ({ accessVersion: `${tag}:access-version`, sessionVersion: `${tag}:session-version` }));
}

export interface VersionMarkKeys {
  /** The newest version of the access keys that this mark was told. */
  readonly accessVersion: string;
  /** The same of the sessions that have ended. */
  readonly sessionVersion: string;
}

/** Where the credentials of destinations are stored. On a cluster they share the slot of flow control, because their scripts touch several. */
export function credentialKeys(prefix: string, isCluster: boolean): CredentialKeys {
  const base = `${slotOfFleet(prefix, isCluster)}:credentials:`;
  return { credentials: `${base}of`, version: `${base}version`, token: (id) => `${base}token:${id}`, tokenBase: `${base}token:`, tokenLock: (id) => `${base}token-lock:${id}` };
}

export interface CredentialKeys {
  /** Hash: the credentials by the key of their destination, as JSON, with their secrets encrypted. */
  readonly credentials: string;
  /** It changes with each change of the hash. */
  readonly version: string;
  /** The token that the fleet has of an OAuth 2 client, or why it has none. It lapses. */
  token(id: string): string;
  readonly tokenBase: string;
  /** The process that is asking for a token of it; it lapses. */
  tokenLock(id: string): string;
}

/** Test sends on their way to a worker. On a cluster they stand with those of flow control. */
export function testSendKeys(prefix: string, isCluster: boolean): TestSendKeys {
  const base = `${slotOfFleet(prefix, isCluster)}:test-sends:`;
  return { requests: `${base}requests`, turns: (caller) => `${base}turns:${caller}`, answer: (id) => `${base}answer:${id}` };
}

export interface TestSendKeys {
  /** List: what workers are asked for, each with the time until which somebody waits. It lapses. */
  readonly requests: string;
  /** Sorted set: the test sends of a caller within the last minute. It lapses. */
  turns(caller: string): string;
  /** What became of one. It lapses. */
  answer(id: string): string;
}

/** The same as `replicaMark` of a shard, beside the keys of the whole fleet. */
export function fleetReplicaMark(prefix: string, isCluster: boolean): string {
  return `${slotOfFleet(prefix, isCluster)}:replica-mark`;
}

/** The same as `neverThere` of a shard, beside the keys of the whole fleet. */
export function fleetNeverThere(prefix: string, isCluster: boolean): string {
  return `${slotOfFleet(prefix, isCluster)}:never-there`;
}

/** What all keys of the whole fleet begin with. */
export function slotOfFleet(prefix: string, isCluster: boolean): string {
  return isCluster ? `{${prefix}-flow}` : prefix;
}

/** Keys of flow control, the same for all shards. On a cluster they share one slot, because their scripts touch several. */
export function flowKeys(prefix: string, isCluster: boolean): FlowKeys {
  const base = `${slotOfFleet(prefix, isCluster)}:flow:`;
  return {
    controls: `${base}controls`,
    changes: `${base}changes`,
    version: `${base}version`,
    versions: `${base}versions`,
    workers: `${base}workers`,
    report: (worker) => `${base}report:${worker}`,
    reportBase: `${base}report:`,
    life: (worker) => `${base}life:${worker}`,
    lifeBase: `${base}life:`,
    lockTime: (worker) => `${base}lock-time:${worker}`,
    lockTimeBase: `${base}lock-time:`,
    leases: (name) => `${base}leases:${name}`,
    pace: (name) => `${base}pace:${name}`,
    claims: (name) => `${base}claims:${name}`,
    probe: (host) => `${base}probe:${host}`,
    probeBase: `${base}probe:`,
    testSendRequests: testSendKeys(prefix, isCluster).requests,
    bulkActions: bulkKeys(prefix, isCluster).live,
    secretPathHosts: `${base}secret-path-hosts`,
    neverThere: `${base}never-there`,
  };
}

export interface FlowKeys {
  /** Hash: `p:<name>` a policy (limits and a pause), `c:<host>` an open circuit, each as JSON. */
  readonly controls: string;
  /** Sorted set of the fields of `controls` by the version that changed them last. */
  readonly changes: string;
  readonly version: string;
  /** Sorted set of the last versions. */
  readonly versions: string;
  /** Sorted set of worker names by the time of their last report. */
  readonly workers: string;
  /** The report of a worker about its destinations; it lapses. */
  report(worker: string): string;
  readonly reportBase: string;
  /** Since when a worker runs, and what it has seen of Redis: see dead-worker.ts. It lapses. */
  life(worker: string): string;
  readonly lifeBase: string;
  /** LOCK_DURATION of a worker, ms. It lapses with its life, which older versions cannot read with more in it. */
  lockTime(worker: string): string;
  readonly lockTimeBase: string;
  /** Sorted set of jobs that hold a place of a limited destination, by the time at which the place lapses. */
  leases(name: string): string;
  /** When the next send of a limited destination may start. */
  pace(name: string): string;
  /** Sorted set of the workers that ask for a limited destination, by the time at which they asked last. */
  claims(name: string): string;
  probe(host: string): string;
  readonly probeBase: string;
  /** TestSendKeys.requests: workers learn with the changes whether anything waits there. */
  readonly testSendRequests: string;
  /** BulkKeys.live: workers learn with the changes whether there is a bulk action to look at. */
  readonly bulkActions: string;
  /** Sorted set: the hosts whose paths a process hides, by the time at which one said so last. */
  readonly secretPathHosts: string;
  /** Nothing is ever stored here: its removal, which changes nothing, tells whether writes are taken. */
  readonly neverThere: string;
}
