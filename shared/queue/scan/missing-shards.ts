import type { Shard } from '../engine/shard.js';

/** The shards that one search goes on without: those that were away when it began, and those that it has lost. */
export class MissingShards {
  readonly #names: Set<string>;
  /** Why the first one was lost. */
  #lost: Error | undefined;

  /**
   * @param away    queues of the shards that are away at the beginning
   * @param isAway  whether an error means that the shard cannot be asked
   * @param late    queues of the shards that owe an answer now. One that is lost takes those of its server along: they are not waited for, one
   *                after the other
   */
  constructor(
    away: Iterable<string>,
    private readonly isAway: (error: unknown) => boolean,
    private readonly late: () => Iterable<string> = () => [],
  ) {
    this.#names = new Set(away);
  }

  has(shard: Shard): boolean {
    return this.#names.has(shard.queue.name);
  }

  /** It is asked nothing more. @throws every error that does not mean that it cannot be asked */
  lose(shard: Shard, error: unknown): void {
    if (!this.isAway(error)) throw error;
    this.#lost ??= error instanceof Error ? error : new Error(String(error));
    this.#names.add(shard.queue.name);
    for (const name of this.late()) this.#names.add(name);
  }

  /** Whether the search goes on without some. */
  get areSome(): boolean {
    return this.#names.size > 0;
  }

  /** @returns of those that are needed, the ones that there are. @throws what lost them, when there is none, and one was lost */
  among(shards: readonly Shard[]): readonly Shard[] {
    const present = shards.filter((shard) => !this.has(shard));
    if (present.length === 0 && this.#lost !== undefined) throw this.#lost;
    return present;
  }
}
