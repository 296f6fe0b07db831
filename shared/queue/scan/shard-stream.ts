import type { Shard } from '../engine/shard.js';
import type { Position } from './found-task.js';
import { inOrder, listMembers, scanIds, scanSet, type ListedIds, type Placed, type SearchOrder, type SearchRules } from './scan-step.js';
import type { TakeTurn } from './scan-tasks.js';
import { isListPlace, type ReadPlace, type SearchPlace } from '../search/search-places.js';
import type { ListPlace, PageInProgress } from './page-in-progress.js';

export interface StreamOptions {
  readonly takeTurn: TakeTurn;
  /** The shard of an id that the filter names. */
  readonly shardOf: (taskId: string) => Shard;
  readonly jobIdOf: (taskId: string) => string;
}

/** What one shard has in one place, in the order of the search. */
export interface ShardStream {
  readonly shard: Shard;
  /** Found, and not taken yet. */
  readonly buffer: Placed[];
  /** Everything up to here was looked at; undefined: the beginning. */
  readonly reached: Position | undefined;
  /** Nothing is left to be taken or looked at. */
  readonly isEnded: boolean;
  /** What comes next cannot stand before it. */
  readonly frontier: Position | undefined;
  refill(page: PageInProgress): Promise<void>;
  /** Its shard has been lost: what is left in the buffer is all that it has. */
  giveUp(): void;
}

export function streamOf(shard: Shard, place: ListPlace['place'], rules: SearchRules, from: Position | undefined, options: StreamOptions): ShardStream {
  if (place === 'ids') {
    const jobIds = (rules.plan.ids ?? []).filter((id) => options.shardOf(id) === shard).map(options.jobIdOf);
    return new IdStream(shard, undefined, rules, from, options.takeTurn, async () => ({ jobIds: inOrder(jobIds, rules.order), isWhole: true, cpu: undefined }));
  }
  return isListPlace(place) ? new IdStream(shard, place, rules, from, options.takeTurn, () => listMembers(shard, place, rules.order)) : new SetStream(shard, place, rules, from, options.takeTurn);
}

abstract class BufferedStream {
  readonly buffer: Placed[] = [];
  protected hasMore = true;

  constructor(
    readonly shard: Shard,
    public reached: Position | undefined,
  ) {}

  giveUp(): void {
    this.hasMore = false;
  }

  get isEnded(): boolean {
    return this.buffer.length === 0 && !this.hasMore;
  }

  get frontier(): Position | undefined {
    return this.buffer[0]?.position ?? this.reached;
  }
}

class SetStream extends BufferedStream implements ShardStream {
  constructor(
    shard: Shard,
    private readonly place: ReadPlace,
    private readonly rules: SearchRules,
    from: Position | undefined,
    private readonly takeTurn: TakeTurn,
  ) {
    super(shard, from);
  }

  async refill(page: PageInProgress): Promise<void> {
    const { found, next, tally } = await this.takeTurn(() => scanSet(this.shard, this.place, this.rules, this.reached, page.share));
    page.looked(tally);
    this.buffer.push(...found);
    this.reached = next;
    this.hasMore = next !== undefined;
  }
}

/** It looks at names, by their order. */
class IdStream extends BufferedStream implements ShardStream {
  #rest: readonly string[] | undefined;

  constructor(
    shard: Shard,
    private readonly place: SearchPlace | undefined,
    private readonly rules: SearchRules,
    from: Position | undefined,
    private readonly takeTurn: TakeTurn,
    private readonly read: () => Promise<ListedIds>,
  ) {
    super(shard, from);
  }

  async refill(page: PageInProgress): Promise<void> {
    const ids = (this.#rest ??= await this.#readRest(page));
    if (ids.length === 0) {
      this.hasMore = false;
      return;
    }
    const { found, tally, last, rest } = await this.takeTurn(() => scanIds(this.shard, this.place, this.rules, ids));
    this.#rest = rest;
    this.hasMore = rest.length > 0;
    page.looked(tally);
    // By their names alone: the scores of named tasks in different sets have nothing in common.
    this.buffer.push(...found.map(({ task, position: { member } }) => ({ task, position: { score: '0', member } })));
    if (last !== undefined) this.reached = { score: '0', member: last };
  }

  async #readRest(page: PageInProgress): Promise<readonly string[]> {
    const { jobIds, isWhole } = await this.takeTurn(() => this.read());
    if (!isWhole) page.foundGap();
    const { reached } = this;
    return reached === undefined ? jobIds : jobIds.filter((id) => isBefore(reached, { score: '0', member: id }, this.rules.order));
  }
}

/** @param b the beginning when it is undefined */
export function isBefore(a: Position | undefined, b: Position | undefined, order: SearchOrder): boolean {
  if (a === undefined || b === undefined) return a === undefined && b !== undefined;
  const difference = scoreOf(a) - scoreOf(b) || (a.member === b.member ? 0 : a.member < b.member ? -1 : 1);
  return order === 'oldest' ? difference < 0 : difference > 0;
}

/** Redis writes a score without end as inf. */
function scoreOf({ score }: Position): number {
  return Number(score.replace('inf', 'Infinity'));
}
