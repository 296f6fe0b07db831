import type { BulkAction } from '../../domain/bulk-actions/bulk-action.js';
import { countsWithAway, sumOfCounts, type BulkCounts } from '../../domain/bulk-actions/bulk-counts.js';
import type { FirstSend } from '../../domain/bulk-actions/first-sends.js';
import { classifyRedisError } from '../../redis/redis-error.js';
import { CONNECTIONS_PER_MASTER, NotReplicatedError } from '../../redis/replicated-writes.js';
import type { AskedShards } from './asked-shards.js';
import type { BulkActionStore, BulkChange, ChangedBulkAction } from './bulk-action-store.js';
import { KEPT_FOR_MS } from './bulk-action-store.js';
import type { BulkShard, ShardOfAction } from './bulk-shard.js';

/** An action with its numbers, those of all shards together. */
export interface CountedBulkAction {
  readonly action: BulkAction;
  readonly counts: BulkCounts;
  /** The first task of those that are counted as `invalid`, and of those that are counted as `unreadable`. */
  readonly samples: ShardOfAction['samples'];
  /** Queues of the shards that do not answer. Their part of `counts` is a guess: see countsWithAway. */
  readonly shardsAway: readonly string[];
}

/** A shard answers, and then its replicas: longer than both together may take, ms. */
const LASTING_WITHIN_MS = 2_000;
/** For so long no shard waits for its replicas after they were missing, ms: one wait takes most of a second, and actions have their turns one after the other. */
const REST_MS = 1_000;
/** Actions that are looked at in one step where a list has some of them alone. Some 1,000 are kept. */
const READ_AT_ONCE = 200;

/** undefined for a shard that does not answer. */
export type PartsOfAction = readonly (ShardOfAction | undefined)[];

/** All bulk actions: what they are, and their parts in the shards. */
export class BulkActions {
  /** Until then, monotonic ms, the error stands for the answer of a shard that would wait for its replicas. */
  readonly #rests = new Map<BulkShard, { readonly until: number; readonly error: NotReplicatedError }>();

  constructor(
    readonly store: BulkActionStore,
    readonly shards: readonly BulkShard[],
    /** Asks the shards, of which some may be away. */
    readonly asked: AskedShards,
  ) {}

  async find(id: string): Promise<CountedBulkAction | undefined> {
    // The action first: when it says `done`, no number that is read later can say that tasks are left.
    const action = await this.store.read(id);
    return action === undefined ? undefined : this.#counted(action, await this.partsOf(id));
  }

  /**
   * The newest first.
   * @param isShown which of them the list has. As many are read as that takes, so a page tells nothing of how many others there are
   */
  async list(limit: number, after: Parameters<BulkActionStore['list']>[1], isShown?: (action: BulkAction) => boolean): Promise<readonly CountedBulkAction[]> {
    const actions = isShown === undefined ? await this.store.list(limit, after) : await this.#shown(limit, after, isShown);
    const parts = await this.partsOfAll(actions.map(({ id }) => id));
    return actions.map((action, nth) => this.#counted(action, parts[nth] ?? []));
  }

  /**
   * Changes an action. When this resolves, no step that was begun before changes any task of a shard that answers. In one that is away a
   * step that is under way may still come to its end; the next one sees the change.
   * @returns undefined when there is none
   */
  async change(id: string, change: BulkChange): Promise<ChangedBulkAction | undefined> {
    const changed = await this.store.change(id, change);
    // It is changed, whether a shard can be told of it now or not. The one whose change it was may have been killed before it told them.
    if (changed !== undefined && changed.action.settledAt === null) await this.asked.all(this.shards, (shard) => shard.fence(id, changed.action.epoch));
    return changed;
  }

  async partsOf(id: string): Promise<PartsOfAction> {
    const [parts = []] = await this.partsOfAll([id]);
    return parts;
  }

  /** The parts of several actions, in the order of the ids. */
  async partsOfAll(ids: readonly string[]): Promise<readonly PartsOfAction[]> {
    if (ids.length === 0) return [];
    const found = await this.asked.all(this.shards, (shard) => shard.read(ids));
    return ids.map((_, nth) => found.map((ofShard) => ofShard?.[nth]));
  }

  /**
   * Its parts, when as many replicas have them, and what they tell of, as REDIS_MIN_REPLICAS says.
   * @throws NotReplicatedError, or what the first shard that is away fails with
   */
  async lastingPartsOf(id: string): Promise<PartsOfAction> {
    return this.#lastingOfAll((shard) => shard.readLasting(id));
  }

  /** Says how many of the tasks that were found are taken in a shard. @throws as lastingPartsOf */
  async seal(shard: BulkShard, id: string, pending: number): Promise<void> {
    await this.#lasting(shard, () => shard.seal(id, pending));
  }

  /** @param pending of each shard in turn: see seal @throws as lastingPartsOf */
  async sealAll(id: string, pending: readonly number[]): Promise<void> {
    await this.#lastingOfAll((shard, index) => shard.seal(id, pending[index] ?? 0));
  }

  async firstSends(id: string): Promise<readonly FirstSend[]> {
    return (await this.asked.all(this.shards, (shard) => shard.firstSends(id))).flatMap((sends) => sends ?? []);
  }

  /** Its numbers have come to rest. */
  async settle(action: Pick<BulkAction, 'id' | 'epoch'>): Promise<void> {
    await Promise.all(this.shards.map((shard) => this.asked.one(shard, () => shard.forget(action, KEPT_FOR_MS))));
    // Last: a worker that is killed before does it again.
    await this.store.settle(action);
  }

  /** Removes an action with all that is known of it. Another one may take its id at once. */
  async remove(action: Pick<BulkAction, 'id' | 'epoch'>): Promise<void> {
    await Promise.all(this.shards.map((shard) => this.asked.one(shard, () => shard.forget(action, 0))));
    await this.store.remove(action.id);
  }

  /** Removes those that `surplus` names. Those with a part in a shard that is away stay until the next time. */
  async removeSurplus(): Promise<void> {
    for (const id of await this.store.surplus()) {
      try {
        // Its time may be over, and what is left of it stands in the index alone.
        await this.remove((await this.store.read(id)) ?? { id, epoch: 0 });
      } catch (error) {
        if (classifyRedisError(error) === 'bug') throw error;
      }
    }
  }

  /** Of all shards, as many at once as one master has connections for it: if all were asked at once, the last of many would wait too long for theirs. */
  async #lastingOfAll<T>(ask: (shard: BulkShard, index: number) => Promise<T>): Promise<readonly T[]> {
    const answers: T[] = [];
    for (const shard of this.shards) {
      const missing = this.#missing(shard);
      if (missing !== undefined) throw missing;
    }
    for (let from = 0; from < this.shards.length; from += CONNECTIONS_PER_MASTER) {
      const next = this.shards.slice(from, from + CONNECTIONS_PER_MASTER);
      answers.push(...(await Promise.all(next.map((shard, nth) => this.#lasting(shard, () => ask(shard, from + nth))))));
    }
    return answers;
  }

  async #lasting<T>(shard: BulkShard, ask: () => Promise<T>): Promise<T> {
    const missing = this.#missing(shard);
    if (missing !== undefined) throw missing;
    try {
      return await this.asked.one(shard, ask, LASTING_WITHIN_MS);
    } catch (error) {
      if (error instanceof NotReplicatedError && this.#missing(shard) === undefined) this.#rests.set(shard, { until: performance.now() + REST_MS, error });
      throw error;
    }
  }

  #missing(shard: BulkShard): NotReplicatedError | undefined {
    const rest = this.#rests.get(shard);
    return rest !== undefined && performance.now() < rest.until ? rest.error : undefined;
  }

  async #shown(limit: number, after: Parameters<BulkActionStore['list']>[1], isShown: (action: BulkAction) => boolean): Promise<readonly BulkAction[]> {
    const shown: BulkAction[] = [];
    for (let place = after; ; ) {
      const read = await this.store.list(READ_AT_ONCE, place);
      shown.push(...read.filter(isShown));
      const last = read.at(-1);
      if (shown.length >= limit || read.length < READ_AT_ONCE || last === undefined) return shown.slice(0, limit);
      place = { id: last.id, createdAt: last.asked.createdAt };
    }
  }

  #counted(action: BulkAction, parts: PartsOfAction): CountedBulkAction {
    const known = parts.flatMap((part) => part ?? []);
    const first = (nth: number): ShardOfAction['samples'][number] => known.map(({ samples }) => samples[nth]).find((sample) => sample !== undefined);
    const shardsAway = this.shards.filter((_, index) => parts[index] === undefined).map(({ name }) => name);
    const counts = sumOfCounts(known.map((part) => part.counts));
    return { action, counts: shardsAway.length === 0 ? counts : countsWithAway(counts, action.matched, action.state === 'done'), samples: [first(0), first(1)], shardsAway };
  }
}
