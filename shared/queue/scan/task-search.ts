import { RequestError } from '../../domain/errors.js';
import { withinLimit } from '../../lifecycle/time-limit.js';
import { withinRequestLimit } from '../../redis/request-limit.js';
import type { Shard } from '../engine/shard.js';
import { jobIdOf, shardOf } from '../names.js';
import type { TaskQueue } from '../tasks/task-queue.js';
import type { SearchPlan } from '../search/compile-filter.js';
import { countTasks, type CountOptions, type CountPlace, type TaskCount } from './count-tasks.js';
import { listTasks, type ListOptions } from './list-tasks.js';
import type { ListPlace, TaskPage } from './page-in-progress.js';
import { MissingShards } from './missing-shards.js';
import { previewTasks, type TaskPreview } from './preview-tasks.js';
import type { CountedBy, SearchOrder } from './scan-step.js';
import type { TakeTurn } from './scan-tasks.js';
import { OutOfTimeError, ScanTurns } from './scan-turns.js';

/** One request works at most for this time; a step that has begun is ended. */
const WORK_MS = 1_500;
/** A shard that has not answered a step by then is away, ms. A step lasts some 10 ms. */
const STEP_LIMIT_MS = 600;
/**
 * The same for a request that goes on without some, all its steps together, ms: it is answered within a second. Steps that begin behind it have
 * the least time.
 */
const WITHOUT_SOME_MS = 500;
const LEAST_STEP_MS = 150;
/** How often a wait for a turn that may be longer is looked at again, ms. */
const LOOK_AGAIN_MS = 50;
/** A page that has a task does not wait longer for more: a person looks at it. */
const PAGE_MS = 200;

type Parts = Pick<ListOptions, 'hasTime' | 'takeTurn' | 'askInOneTurn' | 'shardOf' | 'missing'> & Pick<CountOptions, 'hasTime'>;

/** Searches for the API. All searches of a process take turns, step by step (scan-turns.ts). */
export class TaskSearch {
  readonly #turns = new ScanTurns();

  constructor(private readonly queue: Pick<TaskQueue, 'answeringShards' | 'errors' | 'health'>) {}

  /** @throws RequestError redis_unavailable as TaskQueue */
  async list(plan: SearchPlan, { order, limit, from }: { readonly order: SearchOrder; readonly limit: number; readonly from: ListPlace | undefined }): Promise<TaskPage> {
    return this.#answered(async (shards, parts) => listTasks(shards, { plan, order }, { limit, from, ...parts, jobIdOf }));
  }

  /** @throws RequestError redis_unavailable as TaskQueue */
  async count(plan: SearchPlan, by: CountedBy, from: CountPlace | undefined): Promise<TaskCount> {
    return this.#answered(async (shards, parts) => countTasks(shards, plan, { by, from, ...parts }));
  }

  /** What a change of many tasks would meet. @param ids only these tasks. @throws RequestError redis_unavailable as TaskQueue */
  async preview(plan: SearchPlan, from: CountPlace | undefined, ids?: readonly string[]): Promise<TaskPreview> {
    return this.#answered(async (shards, parts) => previewTasks(shards, plan, { from, ...parts }, ids));
  }

  #partsFor(shards: readonly Shard[], missing: MissingShards, areParts: boolean, startedAt: number): Parts {
    const { health } = this.queue;
    const elapsedMs = (): number => performance.now() - startedAt;
    const inTime = <T>(answer: Promise<T>): Promise<T> => {
      if (!areParts) return withinRequestLimit(answer);
      const limitMs = Math.min(STEP_LIMIT_MS, Math.max(LEAST_STEP_MS, WITHOUT_SOME_MS - elapsedMs()));
      // While all shards answer, a step that is late has its whole time.
      return withinRequestLimit(answer, limitMs, STEP_LIMIT_MS, () => health.late.length === 0);
    };
    // What waits for a turn uses up the time of the request, as what it does then: there may be many searches, and pauses between their steps.
    const turnInTime = (turn: Promise<void>): Promise<void> => {
      const hasAllThere = (): boolean => !areParts || (!missing.areSome && health.late.length === 0);
      const moreMs = (): number => (hasAllThere() ? Math.min(LOOK_AGAIN_MS, Math.ceil(WORK_MS - elapsedMs())) : 0);
      return withinLimit(turn, Math.max(0, Math.ceil(WITHOUT_SOME_MS - elapsedMs())), () => new OutOfTimeError('the turn of a search has not come in time'), moreMs);
    };
    return {
      hasTime: (hasFound = false) => elapsedMs() < (hasFound ? PAGE_MS : missing.areSome ? WITHOUT_SOME_MS : WORK_MS),
      takeTurn: ((step) => this.#turns.take(() => inTime(step()), areParts, turnInTime)) satisfies TakeTurn,
      askInOneTurn: async (asked, ask) => (await this.#turns.take(async () => ({ results: await Promise.allSettled(asked.map((shard) => inTime(ask(shard)))), cpu: undefined }), areParts, turnInTime)).results,
      shardOf: (taskId: string) => {
        const shard = shards[shardOf(taskId, shards.length)];
        if (shard === undefined) throw new RangeError('a shard that is not there');
        return shard;
      },
      missing,
    };
  }

  async #answered<T>(work: (shards: readonly Shard[], parts: Parts) => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      const { shards, away } = await withinRequestLimit(this.queue.answeringShards());
      // What one Redis does not answer it does not answer for any of its shards.
      const areParts = mayGoAlone(shards);
      const missing = new MissingShards(away, (error) => areParts && this.queue.errors.asRequestError(error) instanceof RequestError, () => this.queue.health.late);
      return await work(shards, this.#partsFor(shards, missing, areParts, startedAt));
    } catch (error) {
      throw this.queue.errors.asRequestError(error);
    }
  }
}

/** Whether one of the shards may be away alone. */
function mayGoAlone(shards: readonly Shard[]): boolean {
  return new Set(shards.map(({ server }) => server)).size > 1;
}
