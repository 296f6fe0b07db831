import { withinRequestLimit } from '../../redis/request-limit.js';
import type { ShardHealth } from '../engine/shard-health.js';
import type { Shard, Shards } from '../engine/shard.js';
import { FLEET } from '../fleet-keys.js';
import { askShards, type AskingShards, type ShardAnswers } from './ask-shards.js';
import type { ErrorsForCallers } from './errors-for-callers.js';

/** How the calls of one queue speak with Redis. What fails because of Redis throws RequestError redis_unavailable, redis_full or redis_refused. */
export class QueueCalls {
  constructor(
    private readonly shards: Shards,
    private readonly health: ShardHealth,
    private readonly errors: ErrorsForCallers,
  ) {}

  /** @param part a queue, or FLEET @throws RequestError redis_unavailable at once while it is away */
  mustAnswer(part: string): void {
    if (this.health.mustRefuse(part)) throw this.errors.ofPartAway();
  }

  /** One call of the API: it is answered in time, or it counts as not answered. */
  async speak<T>(work: () => Promise<T>): Promise<T> {
    return this.speakLong(() => withinRequestLimit(work()));
  }

  /** One call of the API about what stands once for the whole fleet. */
  async speakToFleet<T>(work: () => Promise<T>): Promise<T> {
    this.mustAnswer(FLEET);
    return this.speak(work);
  }

  /** A call whose parts have time limits of their own, or none. */
  async speakLong<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw this.errors.asRequestError(cause);
    }
  }

  get asking(): AskingShards {
    return { health: this.health, isAway: (error) => this.errors.classify(error) !== 'bug' };
  }

  /** The rows of all shards that answer in time. */
  async askShards<T>(ask: (shard: Shard) => Promise<readonly T[]>, limitMs?: number): Promise<ShardAnswers<T>> {
    const { answers, shardsAway } = await this.speakLong(() => askShards(this.shards.all(), ask, { ...this.asking, limitMs }));
    return { answers: answers.flat(), shardsAway };
  }
}
