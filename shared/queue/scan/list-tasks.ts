import type { Shard } from '../engine/shard.js';
import type { FoundTask, Position } from './found-task.js';
import { mayHaveOverlooked } from './look-again.js';
import type { MissingShards } from './missing-shards.js';
import { readScanMark, readSinceMark, type ScanMark } from './scan-mark.js';
import { inOrder, listMembers, scanIds, scanSet, type ListedIds, type Placed, type SearchOrder, type SearchRules, type Tally } from './scan-step.js';
import { lookAt, type TakeTurn } from './scan-tasks.js';
import { OutOfTimeError } from './scan-turns.js';
import { HELD, isListPlace, isWaitingPlace, withHeld, type ReadPlace, type SearchPlace } from '../search/search-places.js';

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

export interface ListOptions {
  readonly limit: number;
  readonly from: ListPlace | undefined;
  /** May another step begin? One is made always, if its turn comes in time. */
  readonly hasTime: (hasFound: boolean) => boolean;
  readonly takeTurn: TakeTurn;
  /** Asks all these shards in one turn. Each of them has the time of a step. */
  readonly askInOneTurn: <T>(shards: readonly Shard[], ask: (shard: Shard) => Promise<T>) => Promise<readonly PromiseSettledResult<T>[]>;
  /** The shard of an id that the filter names. */
  readonly shardOf: (taskId: string) => Shard;
  readonly jobIdOf: (taskId: string) => string;
  /** It goes on without them. */
  readonly missing: MissingShards;
}

/** Rows that are asked for beyond a shard's share of the page. */
const SPARE_ROWS = 10;

/**
 * One page of the tasks that match. Inside each place the tasks of all shards come in one order: by score, and those of one score by
 * their ids. So a score and an id say where the next page begins, in every shard.
 */
export async function listTasks(allShards: readonly Shard[], rules: Omit<SearchRules, 'since' | 'by'>, options: ListOptions): Promise<TaskPage> {
  const { from: begin, missing, shardOf } = options;
  const ids = rules.plan.ids;
  const shards = ids === undefined ? allShards : [...new Set(ids.map(shardOf))];
  const read = begin === undefined && rules.plan.ids === undefined ? await inTime(readMarks(shards, options)) : undefined;
  if (read === 'too late') return { tasks: [], next: 'beginning', scanned: 0, notRead: 0, isComplete: false, shardsAway: namesOfMissing(shards, missing) };
  const marks = read === undefined ? marksOf(begin, shards) : read.whole;
  const inSets = marks?.some(({ readsHeld }) => readsHeld) === true ? withHeld(rules.plan.places) : rules.plan.places;
  const places: readonly ListPlace['place'][] = rules.plan.ids === undefined ? inSets : ['ids'];
  const page = new PageInProgress(options.limit, shards, missing, begin ?? { since: marks?.[0]?.at ?? oldest(read?.marks), marks });
  if (marks === undefined && rules.plan.ids === undefined) page.foundGap();
  const first = options.from === undefined ? 0 : Math.max(0, places.indexOf(options.from.place));
  for (const [nth, place] of places.entries()) {
    if (nth < first) continue;
    if (nth > 0 && isWaitingPlace(place) && marks !== undefined && page.waitingSince === undefined) {
      const now = await inTime(readMarks(shards, options));
      if (now === 'too late') return page.end({ place });
      page.waitingSince = now.whole?.map(({ at }) => at);
    }
    const from = nth === first ? options.from?.position : undefined;
    // A task that is named is looked at once, wherever it is.
    const sinceOf = (shard: Shard, at: number): number | undefined => (place === 'ids' ? undefined : (marks?.[at]?.at ?? begin?.since ?? read?.marks.get(shard)?.at));
    const rulesHere: Omit<SearchRules, 'since'> = { ...rules, by: undefined, ...(place === 'ids' ? {} : { look: lookAt(place, inSets) }) };
    const streams = shards.flatMap((shard, at) => {
      const readsHeld = marks?.[at]?.readsHeld;
      if (missing.has(shard) || (place === HELD && readsHeld !== true)) return [];
      return [streamOf(shard, place, { ...rulesHere, since: sinceOf(shard, at), sinceWaiting: page.waitingSince?.[at], readsHeld }, from, options)];
    });
    const behind = await fillFrom(streams, page, rules.order, options);
    if (behind !== 'ended') return page.end({ place, ...(behind === undefined ? {} : { position: behind }) });
    const next = places[nth + 1];
    // The rest of the places may be empty. It costs little to look, and a cursor that leads nowhere confuses.
    if (next !== undefined && !options.hasTime(page.hasFound)) return page.end({ place: next });
  }
  if (!page.hasGaps) await lookAgain(shards, rules, marks, page, options);
  return page.end(undefined);
}

/** @returns `too late` where the turn of a step did not come in the time of the request */
async function inTime<T>(step: Promise<T>): Promise<T | 'too late'> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof OutOfTimeError) return 'too late';
    throw error;
  }
}

function namesOfMissing(shards: readonly Shard[], missing: MissingShards): readonly string[] {
  return shards.filter((shard) => missing.has(shard)).map(({ queue }) => queue.name);
}

interface ReadMarks {
  /** Of the shards that answered: what moves in them is listed once, whatever the others do. */
  readonly marks: ReadonlyMap<Shard, ScanMark>;
  /** In the order of the shards. undefined where one is missing: what its tasks did meanwhile is not known. */
  readonly whole: readonly ScanMark[] | undefined;
}

async function readMarks(shards: readonly Shard[], { askInOneTurn, missing }: ListOptions): Promise<ReadMarks> {
  const present = missing.among(shards);
  const results = await askInOneTurn(present, readScanMark);
  const marks = new Map<Shard, ScanMark>();
  for (const [nth, shard] of present.entries()) {
    const result = results[nth];
    if (result?.status === 'fulfilled') marks.set(shard, result.value);
    else missing.lose(shard, result?.reason);
  }
  missing.among(shards);
  return { marks, whole: marks.size === shards.length ? [...marks.values()] : undefined };
}

/** When the first shard was read, ms: on later pages too, no shard's tasks are listed twice. */
function oldest(marks: ReadonlyMap<Shard, ScanMark> | undefined): number | undefined {
  return marks === undefined || marks.size === 0 ? undefined : Math.min(...Array.from(marks.values(), ({ at }) => at));
}

/** @returns undefined where there is not one of each shard */
function marksOf(from: ListPlace | undefined, shards: readonly Shard[]): readonly ScanMark[] | undefined {
  return from?.marks?.length === shards.length ? from.marks : undefined;
}

async function lookAgain(shards: readonly Shard[], rules: Pick<SearchRules, 'plan' | 'order'>, marks: readonly ScanMark[] | undefined, page: PageInProgress, { hasTime, takeTurn, askInOneTurn, missing }: ListOptions): Promise<void> {
  if (marks === undefined) return;
  const markOf = new Map(shards.map((shard, nth) => [shard, marks[nth]] as const));
  // A turn for each shard would take longer than all else, where there are pauses between turns.
  const answers = await inTime(askInOneTurn(shards, async (shard) => {
    const mark = markOf.get(shard);
    return mark === undefined ? undefined : readSinceMark(shard, mark);
  }));
  if (answers === 'too late') {
    page.foundGap();
    return;
  }
  for (const [nth, shard] of shards.entries()) {
    const [mark, answer] = [marks[nth], answers[nth]];
    if (mark === undefined || page.hasGaps) return;
    try {
      if (answer?.status === 'rejected') throw answer.reason;
      if (await mayHaveOverlooked(shard, rules, mark, { hasTime: () => hasTime(false), takeTurn }, page.waitingSince?.[nth], answer?.value)) page.foundGap();
    } catch (error) {
      missing.lose(shard, error);
    }
  }
}

/**
 * Takes what comes first of all shards, again and again.
 * @returns `ended` when nothing is left, else the position up to which everything was taken; undefined: the beginning
 */
async function fillFrom(streams: readonly ShardStream[], page: PageInProgress, order: SearchOrder, { hasTime, missing }: ListOptions): Promise<Position | undefined | 'ended'> {
  let taken: Position | undefined | 'ended';
  for (;;) {
    const stream = streams.reduce<ShardStream | undefined>((first, each) => (each.isEnded || (first !== undefined && !isBefore(each.frontier, first.frontier, order)) ? first : each), undefined);
    if (stream === undefined) return 'ended';
    // What is behind may match nothing, and to look for it could take the whole time of a request.
    if (page.isFull) return taken;
    const [placed] = stream.buffer;
    if (placed !== undefined) {
      stream.buffer.shift();
      page.add(placed);
      taken = placed.position;
      continue;
    }
    taken = stream.reached ?? taken;
    if (page.hasLooked && !hasTime(page.hasFound)) return taken;
    try {
      await stream.refill(page);
    } catch (error) {
      if (error instanceof OutOfTimeError) return taken;
      missing.lose(stream.shard, error);
      missing.among(streams.map(({ shard }) => shard));
      for (const each of streams) if (missing.has(each.shard)) each.giveUp();
    }
  }
}

class PageInProgress {
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

/** What one shard has in one place, in the order of the search. */
interface ShardStream {
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

function streamOf(shard: Shard, place: ListPlace['place'], rules: SearchRules, from: Position | undefined, options: ListOptions): ShardStream {
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
function isBefore(a: Position | undefined, b: Position | undefined, order: SearchOrder): boolean {
  if (a === undefined || b === undefined) return a === undefined && b !== undefined;
  const difference = scoreOf(a) - scoreOf(b) || (a.member === b.member ? 0 : a.member < b.member ? -1 : 1);
  return order === 'oldest' ? difference < 0 : difference > 0;
}

/** Redis writes a score without end as inf. */
function scoreOf({ score }: Position): number {
  return Number(score.replace('inf', 'Infinity'));
}
