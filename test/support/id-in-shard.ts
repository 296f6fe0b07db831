import { shardOf } from '../../shared/queue/names.js';
import { uniqueId } from './tasks.js';

/** A new task id of this shard. */
export function idInShard(shard: number, shards: number, label?: string): string {
  for (;;) {
    const id = uniqueId(label);
    if (shardOf(id, shards) === shard) return id;
  }
}
