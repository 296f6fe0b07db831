import { withinRequestLimit } from '../../redis/request-limit.js';
import type { Shard } from '../engine/shard.js';
import { jobIdOf, shardOf } from '../names.js';
import type { TaskQueue } from '../tasks/task-queue.js';
import type { SearchPlan } from '../search/compile-filter.js';
import { countTasks, type CountPlace, type TaskCount } from './count-tasks.js';
import { listTasks, type ListPlace, type TaskPage } from './list-tasks.js';
import { previewTasks, type TaskPreview } from './preview-tasks.js';
import type { CountedBy, SearchOrder } from './scan-step.js';
import type { TakeTurn } from './scan-tasks.js';
import { ScanTurns } from './scan-turns.js';

/** One request works at most for this time; a step that has begun is ended. */
const WORK_MS = 1_500;
/** A page that has a task does not wait longer for more: a person looks at it. */
const PAGE_MS = 200;

/** Searches for the API. All searches of a process take turns, step by step (scan-turns.ts). */
export class TaskSearch {
  readonly #turns = new ScanTurns();

  constructor(private readonly queue: Pick<TaskQueue, 'shards' | 'asRequestError'>) {}

  /** @throws RequestError redis_unavailable as TaskQueue */
  async list(plan: SearchPlan, { order, limit, from }: { readonly order: SearchOrder; readonly limit: number; readonly from: ListPlace | undefined }): Promise<TaskPage> {
    return this.#answered(async (shards) => listTasks(shards, { plan, order }, { limit, from, ...this.#partsFor(shards), jobIdOf }));
  }

  /** @throws RequestError redis_unavailable as TaskQueue */
  async count(plan: SearchPlan, by: CountedBy, from: CountPlace | undefined): Promise<TaskCount> {
    return this.#answered(async (shards) => countTasks(shards, plan, { by, from, ...this.#partsFor(shards) }));
  }

  /** What a change of many tasks would meet. @param ids only these tasks. @throws RequestError redis_unavailable as TaskQueue */
  async preview(plan: SearchPlan, from: CountPlace | undefined, ids?: readonly string[]): Promise<TaskPreview> {
    return this.#answered(async (shards) => previewTasks(shards, plan, { from, ...this.#partsFor(shards) }, ids));
  }

  #partsFor(shards: readonly Shard[]) {
    const startedAt = performance.now();
    return {
      hasTime: (hasFound = false) => performance.now() - startedAt < (hasFound ? PAGE_MS : WORK_MS),
      takeTurn: ((step) => this.#turns.take(() => withinRequestLimit(step()))) satisfies TakeTurn,
      shardOf: (taskId: string) => {
        const shard = shards[shardOf(taskId, shards.length)];
        if (shard === undefined) throw new RangeError('a shard that is not there');
        return shard;
      },
    };
  }

  async #answered<T>(work: (shards: readonly Shard[]) => Promise<T>): Promise<T> {
    try {
      return await work(await withinRequestLimit(this.queue.shards()));
    } catch (error) {
      throw this.queue.asRequestError(error);
    }
  }
}
