import type { Shard } from '../engine/shard.js';
import type { Position } from './found-task.js';
import { mayHaveOverlooked } from './look-again.js';
import type { MissingShards } from './missing-shards.js';
import { readScanMark, readSinceMark, type ScanMark } from './scan-mark.js';
import type { SearchOrder, SearchRules } from './scan-step.js';
import { lookAt } from './scan-tasks.js';
import { OutOfTimeError } from './scan-turns.js';
import { HELD, isWaitingPlace, withHeld } from '../search/search-places.js';
import { namesOfMissing, PageInProgress, type ListPlace, type TaskPage } from './page-in-progress.js';
import { isBefore, streamOf, type ShardStream, type StreamOptions } from './shard-stream.js';

export interface ListOptions extends StreamOptions {
  readonly limit: number;
  readonly from: ListPlace | undefined;
  /** May another step begin? One is made always, if its turn comes in time. */
  readonly hasTime: (hasFound: boolean) => boolean;
  /** Asks all these shards in one turn. Each of them has the time of a step. */
  readonly askInOneTurn: <T>(shards: readonly Shard[], ask: (shard: Shard) => Promise<T>) => Promise<readonly PromiseSettledResult<T>[]>;
  /** It goes on without them. */
  readonly missing: MissingShards;
}

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
