/**
 * Shards without a waiting list that are looked at in one tick, in turn: of 16 each has its turn after 0.8 s. A worker that is idle asks
 * nothing else of all shards so often. One with lists is looked at in every tick.
 */
const EMPTY_SHARDS_PER_TICK = 4;

/** Which shards are looked at in a tick, to find their waiting lists. */
export class ShardTurns<Shard> {
  readonly #shards: Shard[] = [];
  /** Those of #shards that answered the last look, and had no waiting list. The first one has waited longest for its turn. */
  readonly #empty = new Set<Shard>();

  add(shard: Shard): void {
    this.#shards.push(shard);
  }

  /** It has answered, and has no waiting list. */
  foundEmpty(shard: Shard): void {
    this.#empty.add(shard);
  }

  /** The shards of this tick. */
  inTurn(): Shard[] {
    const empty = [...this.#empty].slice(0, EMPTY_SHARDS_PER_TICK);
    const inTurn = [...this.#shards.filter((shard) => !this.#empty.has(shard)), ...empty];
    // Until it has answered: a shard that is away is asked in every tick whether it is back.
    for (const shard of empty) this.#empty.delete(shard);
    return inTurn;
  }
}
