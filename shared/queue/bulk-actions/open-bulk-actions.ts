import { definedScripts } from '../engine/defined-scripts.js';
import type { Shard } from '../engine/shard.js';
import type { BulkKeys } from '../names.js';
import type { TaskQueue } from '../tasks/task-queue.js';
import { bulkActionScripts } from './bulk-action-scripts.js';
import { BulkActionStore } from './bulk-action-store.js';
import { BulkActions } from './bulk-actions.js';
import { BulkShard } from './bulk-shard.js';
import { bulkShardScripts, bulkStepScript } from './bulk-shard-scripts.js';

/** Makes the scripts of bulk actions known to the connections of all shards. @param shards one at least */
export function openBulkActions(shards: readonly Shard[], keys: BulkKeys): BulkActions {
  const [first] = shards;
  if (first === undefined) throw new TypeError('there is no queue without a shard');
  for (const { client } of shards) {
    const scripts = { ...bulkActionScripts, ...bulkShardScripts, krsBulkStep: bulkStepScript(definedScripts(client)) };
    for (const [name, script] of Object.entries(scripts)) client.defineCommand(name, script);
  }
  return new BulkActions(new BulkActionStore(first.client, keys), shards.map((shard) => new BulkShard(shard)));
}

/** Bulk actions for the API, which may begin to listen before Redis has answered. */
export class BulkActionsOfQueue {
  #actions: BulkActions | undefined;

  constructor(
    private readonly queue: Pick<TaskQueue, 'withShards'>,
    private readonly keys: BulkKeys,
  ) {}

  /** One call of the API: it is answered in time, or fails as every method of TaskQueue. */
  with<T>(work: (actions: BulkActions) => Promise<T>): Promise<T> {
    return this.queue.withShards((shards) => work((this.#actions ??= openBulkActions(shards, this.keys))));
  }
}
