import type { BulkActions, PartsOfAction } from '../../shared/queue/bulk-actions/bulk-actions.js';
import type { BulkShard, ShardOfAction } from '../../shared/queue/bulk-actions/bulk-shard.js';
import { classifyRedisError } from '../../shared/redis/redis-error.js';

/**
 * Works on each shard that answers, one after the other. On a cluster the node of one may be away, or full, alone.
 * @param work gives the pause until its next turn, ms; undefined: it has nothing to do there
 * @param restMs the pause where there is nothing to do
 * @returns the shortest pause, ms
 * @throws what Redis said where none of them could be worked on, and a bug of ours
 */
export async function eachLivingShard({ shards }: Pick<BulkActions, 'shards'>, parts: PartsOfAction, restMs: number, work: (shard: BulkShard, part: ShardOfAction, index: number) => Promise<number | undefined>): Promise<number> {
  const pauses: number[] = [];
  const failures: unknown[] = [];
  for (const [index, shard] of shards.entries()) {
    const part = parts[index];
    if (part === undefined) continue;
    try {
      const pauseMs = await work(shard, part, index);
      if (pauseMs !== undefined) pauses.push(pauseMs);
    } catch (error) {
      if (classifyRedisError(error) === 'bug') throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0 && pauses.length === 0) throw failures[0];
  return Math.min(restMs, ...pauses);
}
