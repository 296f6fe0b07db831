import { definedScripts } from '../engine/defined-scripts.js';
import type { Shard } from '../engine/shard.js';
import type { AuditKeys, BulkKeys } from '../fleet-keys.js';
import { AskedShards } from './asked-shards.js';
import type { TaskQueue } from '../tasks/task-queue.js';
import { bulkActionScripts } from './bulk-action-scripts.js';
import { BulkActionStore } from './bulk-action-store.js';
import { BulkActions } from './bulk-actions.js';
import { BulkShard } from './bulk-shard.js';
import { bulkShardScripts } from './bulk-shard-scripts.js';
import { bulkStepScript } from './bulk-step-script.js';

export interface BulkActionKeys {
  readonly actions: BulkKeys;
  /** On a cluster they share the slot of the actions: a change and its entry are one step. */
  readonly audit: AuditKeys;
}

/**
 * Makes the scripts of bulk actions known to the connections of all shards.
 * @param shards  one at least
 * @param limitMs a shard that has not answered by then is away
 */
export function openBulkActions(shards: readonly Shard[], keys: BulkActionKeys, limitMs: number): BulkActions {
  const [first] = shards;
  if (first === undefined) throw new TypeError('there is no queue without a shard');
  for (const { client } of shards) {
    const scripts = { ...bulkActionScripts, ...bulkShardScripts, krsBulkStep: bulkStepScript(definedScripts(client)) };
    for (const [name, script] of Object.entries(scripts)) client.defineCommand(name, script);
  }
  return new BulkActions(new BulkActionStore(first.client, keys.actions, keys.audit), shards.map((shard) => new BulkShard(shard)), new AskedShards(limitMs));
}

/** A request has 850 ms in all, for the action and then for its parts in the shards. */
const ASKED_WITHIN_MS = 600;

/** Bulk actions for the API, which may begin to listen before Redis has answered. */
export class BulkActionsOfQueue {
  #actions: BulkActions | undefined;

  constructor(
    private readonly queue: Pick<TaskQueue, 'withFleetAndShards'>,
    private readonly keys: BulkActionKeys,
  ) {}

  /** One call of the API: it is answered in time, or fails as every method of TaskQueue. */
  with<T>(work: (actions: BulkActions) => Promise<T>): Promise<T> {
    return this.queue.withFleetAndShards((shards) => work((this.#actions ??= openBulkActions(shards, this.keys, ASKED_WITHIN_MS))));
  }
}
