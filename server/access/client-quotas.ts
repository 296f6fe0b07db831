import { RequestError } from '../../shared/domain/errors.js';
import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { StoredKey } from '../../shared/queue/access/stored-key.js';
import type { Shard } from '../../shared/queue/engine/shard.js';
import { countOfClient, setQuotaClients } from '../../shared/queue/quota/quota-shard.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';

/** What was read of a client is believed for so long, ms. */
const BELIEVED_FOR_MS = 1_000;
/** A shard has so much time to say its number, ms. */
const SHARD_LIMIT_MS = 200;
/** When the shards could not be told which clients have a quota, ms. */
const TELL_AGAIN_AFTER_MS = 1_000;

/** The quota of each client that has one: the lowest of the keys that name it. */
export function quotasOf(keys: Iterable<Pick<StoredKey, 'clientIds' | 'quota'>>): ReadonlyMap<string, number> {
  const quotas = new Map<string, number>();
  for (const { clientIds, quota = null } of keys) {
    if (quota === null) continue;
    for (const clientId of clientIds ?? []) quotas.set(clientId, Math.min(quota, quotas.get(clientId) ?? Infinity));
  }
  return quotas;
}

/**
 * The numbers of a shard stand in one hash, which is read as a whole when clients are added.
 * @param most MAX_QUOTA_CLIENTS
 * @throws RequestError invalid_request when a key would make too many clients have a quota
 */
export function checkQuotaClients(keys: ReadonlyMap<string, StoredKey>, changed: StoredKey, most: number): void {
  if ((changed.quota ?? null) === null) return;
  const after = quotasOf([...keys.values()].filter(({ id }) => id !== changed.id).concat(changed)).size;
  // Where the limit was lowered below what there is, keys can be changed all the same.
  if (after <= most || after <= quotasOf(keys.values()).size) return;
  throw new RequestError('invalid_request', `more than ${most} clients would have a quota: take it from some that do not need it`, undefined, { notes: { limit: 'MAX_QUOTA_CLIENTS' } });
}

/** The place of one task. `end` is to be called when it is known whether a new task came of it. */
export interface QuotaPlace {
  readonly hasRoom: boolean;
  readonly end: (isNew: boolean) => void;
}

const ROOM: QuotaPlace = { hasRoom: true, end: () => undefined };
const NO_ROOM: QuotaPlace = { hasRoom: false, end: () => undefined };

/** The tasks of a client, as far as this process knows. */
interface KnownClient {
  tasks: number;
  /** What each shard said last. */
  readonly ofShards: number[];
  /** When they were asked for, monotonic ms. */
  readAt: number;
  /** Tasks that were let in, and of which it is not known yet whether Redis has them. */
  underWay: number;
  reading: Promise<void> | undefined;
}

/**
 * Whether a client may have one more task. The scripts that change tasks count them in each shard; here the numbers are added up, once a
 * second for each client that submits, and what this process lets in meanwhile is added.
 *
 * So a process by itself never goes beyond a quota. Several can, by what the others let in within that second.
 */
export class ClientQuotas {
  #quotas: ReadonlyMap<string, number> = new Map();
  #version = '';
  #telling: NodeJS.Timeout | undefined;
  #isStopped = false;
  readonly #known = new Map<string, KnownClient>();

  constructor(private readonly queue: Pick<TaskQueue, 'withShards'>) {}

  /** Access keys have changed. @param version of them */
  readonly learn = (keys: ReadonlyMap<string, StoredKey>, version: string): void => {
    this.#quotas = quotasOf(keys.values());
    this.#version = version;
    for (const clientId of this.#known.keys()) if (!this.#quotas.has(clientId)) this.#known.delete(clientId);
    this.#tell();
  };

  /**
   * Takes the place of one task.
   * @returns a promise only where Redis has to be asked
   * @throws RequestError redis_unavailable, as a rejection
   */
  take(clientId: string): QuotaPlace | Promise<QuotaPlace> {
    const quota = this.#quotas.get(clientId);
    if (quota === undefined) return ROOM;
    let known = this.#known.get(clientId);
    if (known === undefined) this.#known.set(clientId, (known = { tasks: 0, ofShards: [], readAt: -Infinity, underWay: 0, reading: undefined }));
    if (performance.now() - known.readAt < BELIEVED_FOR_MS) return placeIn(known, quota);
    const asked = known;
    // All callers that wait for the same number take from it in turn.
    known.reading ??= this.#read(clientId, known).finally(() => (asked.reading = undefined));
    return known.reading.then(() => placeIn(asked, quota));
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#telling);
  }

  async #read(clientId: string, known: KnownClient): Promise<void> {
    const askedAt = performance.now();
    let isUntold = false;
    const read = async (shard: Shard, nth: number): Promise<void> => {
      try {
        const count = await withinLimit(countOfClient(shard, clientId), SHARD_LIMIT_MS, () => new Error('the shard has not answered in time'));
        // Redis has lost what it was told, or this process is quicker than the one that tells it.
        isUntold ||= count === undefined;
        known.ofShards[nth] = count ?? 0;
      } catch {
        // A shard that is away must not stop tasks of others: its last number counts.
      }
    };
    await Promise.all((await this.#shards()).map(read));
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- `read` sets it, which the rule does not see
    if (isUntold) this.#tell();
    // Those under way may be among the counted ones. Rather a task too few for a second than one too many.
    known.tasks = known.ofShards.reduce((sum, count) => sum + count, known.underWay);
    known.readAt = askedAt;
  }

  /** @throws RequestError redis_unavailable while Redis has not answered yet */
  #shards(): Promise<readonly Shard[]> {
    return this.queue.withShards((shards) => Promise.resolve(shards));
  }

  /** Tells all shards which clients have a quota, until all of them know. */
  #tell(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    const version = this.#version;
    const clientIds = [...this.#quotas.keys()];
    const told = async (): Promise<void> => {
      const ends = await Promise.allSettled((await this.#shards()).map((shard) => setQuotaClients(shard, version, clientIds)));
      if (ends.some(({ status }) => status === 'rejected')) throw new Error('a shard does not know which clients have a quota');
    };
    told().catch(() => {
      if (version === this.#version && !this.#isStopped) this.#telling ??= setTimeout(() => this.#tell(), TELL_AGAIN_AFTER_MS).unref();
    });
  }
}

function placeIn(known: KnownClient, quota: number): QuotaPlace {
  if (known.tasks >= quota) return NO_ROOM;
  known.tasks += 1;
  known.underWay += 1;
  return {
    hasRoom: true,
    end: (isNew) => {
      known.underWay -= 1;
      if (!isNew) known.tasks -= 1;
    },
  };
}
