import type { Shard } from '../engine/shard.js';
import { jobIdOf } from '../names.js';
import type { MissingShards } from './missing-shards.js';
import type { CountedBy, Tally } from './scan-step.js';
import { OutOfTimeError } from './scan-turns.js';
import { stepsThrough, type ScanPlace, type TakeTurn } from './scan-tasks.js';
import type { SearchPlan } from '../search/compile-filter.js';
import { scanWatched } from './watched-scan.js';

/** Where a count goes on. It is plain JSON. */
export interface CountPlace {
  /** Number of the shard. */
  readonly shard: number;
  /** undefined: at its beginning. */
  readonly from?: ScanPlace;
  /** What was counted before is not exact. */
  readonly hasGaps?: true;
}

export interface TaskCount {
  readonly matched: number;
  readonly scanned: number;
  readonly notRead: number;
  /** By value, if a field was named. Tasks without a value are counted under null. */
  readonly groups: ReadonlyMap<string | null, number>;
  /** undefined: all was looked at. */
  readonly next: CountPlace | undefined;
  /**
   * false: a list was longer than what is read of it, a shard was away, or tasks that match moved and may be missing, in this part or in one before it. Those
   * that could not be read in a part before it are among them.
   */
  readonly isComplete: boolean;
  /** Queues of the shards whose tasks are missing. */
  readonly shardsAway: readonly string[];
}

export interface CountOptions {
  readonly by: CountedBy;
  readonly from: CountPlace | undefined;
  /** May another step begin? One is made always, if its turn comes in time. */
  readonly hasTime: () => boolean;
  readonly takeTurn: TakeTurn;
  /** The shard of an id that the filter names. */
  readonly shardOf: (taskId: string) => Shard;
  /** It goes on without them. */
  readonly missing: MissingShards;
}

/** A count with more groups ends early: a group for each of a million clients would not fit into an answer. */
export const MOST_GROUPS = 10_000;

/** Counts the tasks that match, by the values of a field. */
export async function countTasks(shards: readonly Shard[], plan: SearchPlan, { by, from, hasTime, takeTurn, shardOf, missing }: CountOptions): Promise<TaskCount> {
  const sum = new Sum(from?.hasGaps !== true);
  const rules = { plan, order: 'oldest', by } as const;
  /** @returns where to go on later; undefined: all that there is was counted, or the time is not over */
  const countShard: ScanShard = async (shard, nth, reached) => {
    if (plan.ids !== undefined) {
      const jobIds = plan.ids.filter((id) => shardOf(id) === shard).map(jobIdOf);
      for await (const { tally } of stepsThrough(shard, undefined, { ...rules, since: undefined }, jobIds, takeTurn)) sum.add(tally);
      return undefined;
    }
    for await (const { tally, next, isWhole } of scanWatched(shard, rules, nth === from?.shard ? from.from : undefined, { hasTime, takeTurn })) {
      sum.add(tally);
      if (!isWhole) sum.isComplete = false;
      reached(next);
      if (hasTime() && sum.groups.size < MOST_GROUPS) continue;
      if (next !== undefined) return { shard: nth, from: next };
      if (nth < shards.length - 1) return { shard: nth + 1 };
    }
    return undefined;
  };
  const end = await eachShard(shards, from, { ids: plan.ids, shardOf, missing }, countShard);
  if (end.shardsAway.length > 0 || end.isCutShort) sum.isComplete = false;
  return sum.end(end);
}

/** What the scan of all shards has come to. */
export interface ScanEnd {
  readonly next: CountPlace | undefined;
  readonly shardsAway: readonly string[];
  /** The time was over among tasks that are named: no place says which of them are left. */
  readonly isCutShort: boolean;
}

/**
 * Scans one shard.
 * @param reached told where it goes on, behind each part
 * @returns where to go on later, when the time is over
 */
export type ScanShard = (shard: Shard, nth: number, reached: (next: ScanPlace | undefined) => void) => Promise<CountPlace | undefined>;

/**
 * Scans one shard after the other, without those that are away.
 * @throws the error of a shard when none can be scanned
 */
export async function eachShard(
  shards: readonly Shard[],
  from: CountPlace | undefined,
  { ids, shardOf, missing }: Pick<CountOptions, 'shardOf' | 'missing'> & { readonly ids: readonly string[] | undefined },
  scan: ScanShard,
): Promise<ScanEnd> {
  const named = ids === undefined ? undefined : new Set(ids.map(shardOf));
  const needed = shards.filter((shard, nth) => nth >= (from?.shard ?? 0) && (named === undefined || named.has(shard)));
  const end = (next: CountPlace | undefined, isCutShort = false): ScanEnd => ({ next, isCutShort, shardsAway: needed.filter((shard) => missing.has(shard)).map(({ queue }) => queue.name) });
  for (const [nth, shard] of shards.entries()) {
    if (!needed.includes(shard) || missing.has(shard)) continue;
    let at = nth === from?.shard ? from.from : undefined;
    try {
      const next = await scan(shard, nth, (place) => (at = place));
      if (next !== undefined) return end(next);
    } catch (error) {
      if (error instanceof OutOfTimeError) return ids === undefined ? end({ shard: nth, ...(at === undefined ? {} : { from: at }) }) : end(undefined, true);
      missing.lose(shard, error);
      missing.among(needed);
    }
  }
  return end(undefined);
}

/** Only the last part can say whether all of them together are exact. */
export function withGaps(next: CountPlace | undefined, hasGaps: boolean): CountPlace | undefined {
  return next === undefined || !hasGaps ? next : { ...next, hasGaps };
}

class Sum {
  readonly groups = new Map<string | null, number>();
  #matched = 0;
  #scanned = 0;
  #notRead = 0;

  constructor(public isComplete: boolean) {}

  add({ matched, scanned, notRead, groups }: Tally): void {
    this.#matched += matched;
    this.#scanned += scanned;
    this.#notRead += notRead;
    for (const [value, count] of groups) this.groups.set(value, (this.groups.get(value) ?? 0) + count);
  }

  end({ next, shardsAway }: ScanEnd): TaskCount {
    const counts = { matched: this.#matched, scanned: this.#scanned, notRead: this.#notRead };
    return { ...counts, groups: this.groups, next: withGaps(next, counts.notRead > 0 || !this.isComplete), isComplete: this.isComplete, shardsAway };
  }
}
