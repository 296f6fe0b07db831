import type { Shard } from '../engine/shard.js';
import type { FoundTask, Position } from './found-task.js';
import type { MissingShards } from './missing-shards.js';
import type { ScanMark } from './scan-mark.js';
import type { Placed, Tally } from './scan-step.js';
import type { ReadPlace } from '../search/search-places.js';

/** Where a list goes on, in all shards alike. It is plain JSON. */
export interface ListPlace {
  /** `ids`: the ids that the filter names. */
  readonly place: ReadPlace | 'ids';
  /** undefined: at its beginning. */
  readonly position?: Position;
  /** Redis' time when the list began, ms. */
  readonly since: number;
  /** Of each shard, made before the list began. Cursors of older versions, and those of named ids, have none. */
  readonly marks?: readonly ScanMark[];
  /** When the list came to the tasks that wait: Redis' time in each shard, ms. Only those that have failed are read before. */
  readonly waitingSince?: readonly number[];
  /** A page before was not complete. */
  readonly hasGaps?: true;
}

export interface TaskPage {
  readonly tasks: readonly FoundTask[];
  /** undefined: there is nothing behind this page. `beginning`: there was no time to look at anything. */
  readonly next: ListPlace | 'beginning' | undefined;
  readonly scanned: number;
  readonly notRead: number;
  /**
   * false: a list was longer than what is read of it, a shard was away, or tasks that match moved and may be missing, on this page or one before
   * it. What is overlooked is known on the last page.
   */
  readonly isComplete: boolean;
  /** Queues of the shards whose tasks are missing on this page. */
  readonly shardsAway: readonly string[];
}

/** Rows that are asked for beyond a shard's share of the page. */
const SPARE_ROWS = 10;

export function namesOfMissing(shards: readonly Shard[], missing: MissingShards): readonly string[] {
  return shards.filter((shard) => missing.has(shard)).map(({ queue }) => queue.name);
}

export class PageInProgress {
  readonly #tasks: FoundTask[] = [];
  #scanned = 0;
  #notRead = 0;
  #hasGaps: boolean;
  #since: number | undefined;
  readonly #marks: readonly ScanMark[] | undefined;
  hasLooked = false;
  waitingSince: readonly number[] | undefined;

  constructor(
    private readonly limit: number,
    private readonly shards: readonly Shard[],
    private readonly missing: MissingShards,
    from: { readonly since: number | undefined; readonly marks?: readonly ScanMark[] | undefined; readonly waitingSince?: readonly number[] | undefined; readonly hasGaps?: true },
  ) {
    this.#since = from.since;
    this.#marks = from.marks;
    this.waitingSince = from.waitingSince;
    this.#hasGaps = from.hasGaps === true;
  }

  get hasGaps(): boolean {
    return this.#hasGaps || this.shardsAway.length > 0;
  }

  private get shardsAway(): readonly string[] {
    return namesOfMissing(this.shards, this.missing);
  }

  get hasFound(): boolean {
    return this.#tasks.length > 0;
  }

  get isFull(): boolean {
    return this.#tasks.length >= this.limit;
  }

  /** Rows that a step should give at most. */
  get share(): number {
    return Math.ceil((this.limit - this.#tasks.length) / Math.max(1, this.shards.length)) + SPARE_ROWS;
  }

  add({ task }: Placed): void {
    this.#tasks.push(task);
  }

  looked({ scanned, notRead, passedOver, at }: Tally): void {
    this.hasLooked = true;
    this.#since ??= at;
    this.#scanned += scanned;
    this.#notRead += notRead;
    if (passedOver > 0) this.foundGap();
  }

  foundGap(): void {
    this.#hasGaps = true;
  }

  end(next: Pick<ListPlace, 'place' | 'position'> | undefined): TaskPage {
    const counts = { scanned: this.#scanned, notRead: this.#notRead, isComplete: !this.hasGaps, shardsAway: this.shardsAway };
    const from = { since: this.#since ?? 0, ...(this.#marks === undefined ? {} : { marks: this.#marks }), ...(this.waitingSince === undefined ? {} : { waitingSince: this.waitingSince }), ...(this.hasGaps ? { hasGaps: true as const } : {}) };
    return { tasks: this.#tasks, next: next === undefined ? undefined : { ...next, ...from }, ...counts };
  }
}
