import { classifyRedisError } from '../../redis/redis-error.js';
import { withinRequestLimit } from '../../redis/request-limit.js';
import type { BulkShard } from './bulk-shard.js';

/**
 * Asks the shards of an action. On a cluster the node of one may be away alone, and it must not hold up those of the others: no answer is
 * waited for longer than the limit, and a shard that still owes one is asked nothing more.
 */
export class AskedShards {
  /** Shards that owe an answer, with the error that stands for it. */
  readonly #late = new Map<BulkShard, unknown>();

  /** @param limitMs a shard that has not answered by then is away */
  constructor(private readonly limitMs: number) {}

  /**
   * @returns of each shard its answer; undefined for one that is away
   * @throws the error of the first shard when none answers, and what is a bug of ours
   */
  async all<T>(shards: readonly BulkShard[], ask: (shard: BulkShard, index: number) => Promise<T>): Promise<readonly (T | undefined)[]> {
    const results = await Promise.allSettled(shards.map((shard, index) => this.one(shard, () => ask(shard, index))));
    // Promise.allSettled has no type for its reasons.
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    for (const [nth, error] of failures.entries()) if (failures.length === shards.length ? nth === 0 : classifyRedisError(error) === 'bug') throw error;
    return results.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
  }

  /**
   * @param limitMs for a call that takes longer than others
   * @throws what the call throws, or RequestLimitReached. A call that is late may still come to its end
   */
  async one<T>(shard: BulkShard, ask: () => Promise<T>, limitMs = this.limitMs): Promise<T> {
    if (this.#late.has(shard)) throw this.#late.get(shard);
    const answer = ask();
    const settled = answer.then(() => undefined, () => undefined);
    try {
      return await withinRequestLimit(answer, limitMs);
    } catch (error) {
      // Where the call itself has failed, this is taken back at once.
      this.#late.set(shard, error);
      void settled.then(() => this.#late.delete(shard));
      throw error;
    }
  }
}
