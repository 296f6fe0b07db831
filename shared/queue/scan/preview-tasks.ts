import type { Shard } from '../engine/shard.js';
import { jobIdOf } from '../names.js';
import type { SearchPlan } from '../search/compile-filter.js';
import { eachShard, MOST_GROUPS, withGaps, type CountOptions, type CountPlace, type ScanEnd, type ScanShard } from './count-tasks.js';
import type { FoundTask } from './found-task.js';
import type { ScanStep } from './scan-step.js';
import { stepsThrough } from './scan-tasks.js';
import { scanWatched } from './watched-scan.js';

/** What a change of many tasks would meet. */
export interface TaskPreview {
  readonly matched: number;
  readonly scanned: number;
  readonly notRead: number;
  /** Tasks by their last failure; those without one are counted under null. */
  readonly byErrorCode: ReadonlyMap<string | null, number>;
  /** Tasks by host and path, as they were submitted: see SearchFields. */
  readonly byEndpoint: ReadonlyMap<string, { readonly task: FoundTask; readonly count: number }>;
  /** The first ones that were found. */
  readonly samples: readonly FoundTask[];
  /** undefined: all was looked at. */
  readonly next: CountPlace | undefined;
  /** As of TaskCount. */
  readonly isComplete: boolean;
  /** Queues of the shards whose tasks are missing. */
  readonly shardsAway: readonly string[];
}

const MOST_SAMPLES = 10;

/** Looks at the tasks that match, and counts them in two ways. @param ids only these; undefined: any task */
export async function previewTasks(shards: readonly Shard[], plan: SearchPlan, { from, hasTime, takeTurn, shardOf, missing }: Omit<CountOptions, 'by'>, ids = plan.ids): Promise<TaskPreview> {
  const sum = new Preview(from?.hasGaps !== true);
  const rules = { plan, order: 'oldest', by: undefined } as const;
  const lookAt: ScanShard = async (shard, nth, reached) => {
    if (ids !== undefined) {
      const jobIds = ids.filter((id) => shardOf(id) === shard).map(jobIdOf);
      for await (const step of stepsThrough(shard, undefined, { ...rules, since: undefined }, jobIds, takeTurn)) sum.add(step);
      return undefined;
    }
    for await (const { next, isWhole, ...step } of scanWatched(shard, rules, nth === from?.shard ? from.from : undefined, { hasTime, takeTurn })) {
      sum.add(step);
      if (!isWhole) sum.isComplete = false;
      reached(next);
      if (hasTime() && sum.endpoints < MOST_GROUPS) continue;
      if (next !== undefined) return { shard: nth, from: next };
      if (nth < shards.length - 1) return { shard: nth + 1 };
    }
    return undefined;
  };
  const end = await eachShard(shards, from, { ids, shardOf, missing }, lookAt);
  if (end.shardsAway.length > 0 || end.isCutShort) sum.isComplete = false;
  return sum.end(end);
}

class Preview {
  readonly #byErrorCode = new Map<string | null, number>();
  readonly #byEndpoint = new Map<string, { task: FoundTask; count: number }>();
  readonly #samples: FoundTask[] = [];
  #matched = 0;
  #scanned = 0;
  #notRead = 0;

  constructor(public isComplete: boolean) {}

  get endpoints(): number {
    return this.#byEndpoint.size;
  }

  add({ found, tally }: Pick<ScanStep, 'found' | 'tally'>): void {
    this.#matched += tally.matched;
    this.#scanned += tally.scanned;
    this.#notRead += tally.notRead;
    for (const { task } of found) {
      const code = task.code ?? null;
      this.#byErrorCode.set(code, (this.#byErrorCode.get(code) ?? 0) + 1);
      const endpoint = task.host + task.path;
      const known = this.#byEndpoint.get(endpoint);
      if (known === undefined) this.#byEndpoint.set(endpoint, { task, count: 1 });
      else known.count += 1;
      if (this.#samples.length < MOST_SAMPLES) this.#samples.push(task);
    }
  }

  end({ next, shardsAway }: ScanEnd): TaskPreview {
    return { matched: this.#matched, scanned: this.#scanned, notRead: this.#notRead, byErrorCode: this.#byErrorCode, byEndpoint: this.#byEndpoint, samples: this.#samples, next: withGaps(next, this.#notRead > 0 || !this.isComplete), isComplete: this.isComplete, shardsAway };
  }
}
