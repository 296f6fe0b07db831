import type { BulkAction } from '../../domain/bulk-actions/bulk-action.js';
import { sumOfCounts, type BulkCounts } from '../../domain/bulk-actions/bulk-counts.js';
import type { FirstSend } from '../../domain/bulk-actions/first-sends.js';
import type { BulkActionStore, BulkChange, ChangedBulkAction } from './bulk-action-store.js';
import { KEPT_FOR_MS } from './bulk-action-store.js';
import type { BulkShard, ShardOfAction } from './bulk-shard.js';

/** An action with its numbers, those of all shards together. */
export interface CountedBulkAction {
  readonly action: BulkAction;
  readonly counts: BulkCounts;
  /** The first task of those that are counted as `invalid`, and of those that are counted as `unreadable`. */
  readonly samples: ShardOfAction['samples'];
}

/** All bulk actions: what they are, and their parts in the shards. */
export class BulkActions {
  constructor(
    readonly store: BulkActionStore,
    readonly shards: readonly BulkShard[],
  ) {}

  async find(id: string): Promise<CountedBulkAction | undefined> {
    // The action first: when it says `done`, no number that is read later can say that tasks are left.
    const action = await this.store.read(id);
    return action === undefined ? undefined : counted(action, await this.partsOf(id));
  }

  /** The newest first. */
  async list(limit: number, after: Parameters<BulkActionStore['list']>[1]): Promise<readonly CountedBulkAction[]> {
    const actions = await this.store.list(limit, after);
    if (actions.length === 0) return [];
    const parts = await Promise.all(this.shards.map((shard) => shard.read(actions.map(({ id }) => id))));
    return actions.map((action, index) => counted(action, parts.flatMap((part) => part[index] ?? [])));
  }

  /**
   * Changes an action. When this resolves, no step that was begun before changes any task.
   * @returns undefined when there is none
   */
  async change(id: string, change: BulkChange): Promise<ChangedBulkAction | undefined> {
    const changed = await this.store.change(id, change);
    if (changed?.isChanged === true) await Promise.all(this.shards.map((shard) => shard.fence(id, changed.action.epoch)));
    return changed;
  }

  async countsOf(id: string): Promise<BulkCounts> {
    return sumOfCounts((await this.partsOf(id)).map(({ counts }) => counts));
  }

  async partsOf(id: string): Promise<readonly ShardOfAction[]> {
    return (await Promise.all(this.shards.map((shard) => shard.read([id])))).flat();
  }

  async firstSends(id: string): Promise<readonly FirstSend[]> {
    return (await Promise.all(this.shards.map((shard) => shard.firstSends(id)))).flat();
  }

  /** Its numbers have come to rest. */
  async settle(id: string): Promise<void> {
    await Promise.all(this.shards.map((shard) => shard.forget(id, KEPT_FOR_MS)));
    // Last: a worker that is killed before does it again.
    await this.store.settle(id);
  }

  /** Removes an action with all that is known of it. */
  async remove(id: string): Promise<void> {
    await Promise.all(this.shards.map((shard) => shard.forget(id, 0)));
    await this.store.remove(id);
  }

  /** Removes the oldest, where more are kept than may be. */
  async removeSurplus(): Promise<void> {
    for (const id of await this.store.surplus()) await this.remove(id);
  }
}

function counted(action: BulkAction, parts: readonly ShardOfAction[]): CountedBulkAction {
  const first = (nth: number): ShardOfAction['samples'][number] => parts.map(({ samples }) => samples[nth]).find((sample) => sample !== undefined);
  return { action, counts: sumOfCounts(parts.map(({ counts }) => counts)), samples: [first(0), first(1)] };
}
