import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { WaitingLists } from '../../shared/queue/flow/waiting-lists.js';
import { classifyRedisError } from '../../shared/redis/redis-error.js';

/** A call of a script that takes some 0.1 ms. A node of a Cluster that is frozen keeps its callers waiting for 15 s. */
const ANSWERED_WITHIN_MS = 1_000;

class NoAnswer extends Error {}

/**
 * Which shards answer. Waiting tasks are woken shard by shard, and one whose part of Redis is away must not hold up those of the
 * others. So no call is waited for longer than a second, and a shard that gave no answer is left out until it answers a look.
 */
export class AnsweringShards {
  readonly #away = new Set<WaitingLists>();
  readonly #asked = new Set<WaitingLists>();

  isAway(shard: WaitingLists): boolean {
    return this.#away.has(shard);
  }

  /** @throws what the call throws, or when it takes too long. A call that is late may still come to its end */
  async call<T>(shard: WaitingLists, call: () => Promise<T>): Promise<T> {
    try {
      return await withinLimit(call(), ANSWERED_WITHIN_MS, () => new NoAnswer('the shard does not answer'));
    } catch (error) {
      if (error instanceof NoAnswer || classifyRedisError(error) === 'unavailable') this.#away.add(shard);
      throw error;
    }
  }

  /**
   * Asks a shard whether it is away or not: when it answers, it is there. While an answer is still to come it is not asked again.
   * @returns undefined: there is no answer
   */
  async look<T>(shard: WaitingLists, question: () => Promise<T>): Promise<T | undefined> {
    if (this.#asked.has(shard)) return undefined;
    this.#asked.add(shard);
    const answer = question().finally(() => this.#asked.delete(shard));
    // The connection's owner logs why.
    answer.then(() => this.#away.delete(shard), () => undefined);
    return this.call(shard, () => answer).catch(() => undefined);
  }
}
