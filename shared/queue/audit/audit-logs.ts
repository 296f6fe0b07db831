import type { Shard } from '../engine/shard.js';
import { auditKeys, auditKeysOfShard, FLEET } from '../fleet-keys.js';
import type { AuditEntry } from './audit-entry.js';
import { AuditLog } from './audit-log.js';
import { readAudit, type AuditPage, type AuditRange, type NamedAuditLog, type ReadingAudit } from './read-audit.js';

/** Where the audit of a store stands. */
export interface AuditStore {
  readonly prefix: string;
  readonly isCluster: boolean;
  /** @throws RequestError redis_unavailable while Redis has not answered yet */
  readonly shards: () => readonly Shard[];
}

/**
 * All logs of the audit, which are read as one. On a cluster each shard has one, in its own slot, for what is done to its tasks: so they can
 * be changed, and the change written down first, while the part of Redis is away that has what concerns the whole fleet. All
 * else stands in the log of that part. Parts of one Redis cannot be away alone, so there is one log.
 */
export class AuditLogs {
  #salt: string | undefined;

  constructor(
    private readonly store: AuditStore,
    private readonly reading: ReadingAudit,
  ) {}

  /** Of what concerns the whole fleet. */
  get ofFleet(): AuditLog {
    const { prefix, isCluster, shards } = this.store;
    const all = shards();
    const [first] = all;
    if (first === undefined) throw new RangeError('there is no shard');
    return new AuditLog(first.client, auditKeys(prefix, isCluster, all.length));
  }

  /** Of what is done to the tasks of a shard. */
  ofShard(shard: Shard): AuditLog {
    const { prefix, isCluster, shards } = this.store;
    if (!isCluster) return this.ofFleet;
    const all = shards();
    return new AuditLog(shard.client, auditKeysOfShard(prefix, all.indexOf(shard), all.length), () => this.#saltOfAll());
  }

  /** As readAudit. */
  async read(matches: (entry: AuditEntry) => boolean, limit: number, range: AuditRange): Promise<AuditPage> {
    const ofFleet: NamedAuditLog = { part: FLEET, log: this.ofFleet };
    const ofShards = this.store.isCluster ? this.store.shards().map((shard) => ({ part: shard.queue.name, log: this.ofShard(shard) })) : [];
    return readAudit([ofFleet, ...ofShards], matches, limit, range, this.reading);
  }

  /** Hashes of equal values are equal in all logs, so all have the secret of the fleet. @returns '' while it cannot be read */
  async #saltOfAll(): Promise<string> {
    if (this.#salt !== undefined) return this.#salt;
    const { health, isAway } = this.reading;
    try {
      this.#salt = await health.orNothing(FLEET, () => this.ofFleet.salt());
    } catch (error) {
      if (!isAway(error)) throw error;
    }
    return this.#salt ?? '';
  }
}
