import type { Actor } from '../../domain/actor.js';
import { defaultPathMask } from '../../domain/destinations/path-mask.js';
import { RequestError } from '../../domain/errors.js';
import type { Flow } from '../../domain/destinations/flow.js';
import type { DefaultBrokers } from '../../domain/flow/flow-key.js';
import { noSecretKeys } from '../../domain/secrets/secret-box.js';
import type { Task } from '../../domain/task/task.js';
import type { AuditEntry } from '../audit/audit-entry.js';
import type { AuditLog } from '../audit/audit-log.js';
import { AuditLogs } from '../audit/audit-logs.js';
import type { AuditPage, AuditRange } from '../audit/read-audit.js';
import type { Acting } from './act-on-task.js';
import type { ShardAnswers } from './ask-shards.js';
import { cancelTask, type Cancellation, type Removal } from './cancel-task.js';
import { editTask, type Edit, type EditedTask } from './edit-task.js';
import { answerOf, ErrorsForCallers } from './errors-for-callers.js';
import { failedDestinations } from './failed-destinations.js';
import { FleetStores } from './fleet-stores.js';
import { WaitingLists, type WaitingListDepths } from '../flow/waiting-lists.js';
import { shardOf } from '../names.js';
import { FLEET, fleetReplicaMark } from '../fleet-keys.js';
import { isCluster } from '../../redis/redis-connection.js';
import { ownScripts } from './own-scripts.js';
import { pingWrites, type PingedWrites } from './ping-writes.js';
import { QueueCalls } from './queue-calls.js';
import { redriveFailed, redriveTask, type Redrive } from './redrive-task.js';
import { retryNow, type RetryNow } from './retry-now.js';
import { ShardHealth } from '../engine/shard-health.js';
import { Shards, type Shard } from '../engine/shard.js';
import { LARGE_TASK_BYTES, LargeReads } from './large-reads.js';
import { Submission, type Admission, type SubmissionRules } from './submission.js';
import { contentOf, type TaskContent } from './task-codec.js';
import { SubmissionBatcher } from './submission-batcher.js';
import { countDue, countPlainly, countTasks, type FleetCounts, type PlainFleetCounts } from './task-counts.js';
import type { TaskQueueOptions } from './task-queue-options.js';
import { readTask, type TaskView } from './task-view.js';
import { classifyRedisError } from '../../redis/redis-error.js';
import { REQUEST_LIMIT_MS } from '../../redis/request-limit.js';

const ANY_SIZE = -1;

/** Where a change stands: a task by its id, a queue by its name, or what the whole fleet shares. */
export type ChangePlace = { readonly task: string } | { readonly queue: string } | 'fleet';

function isOutage(error: unknown): boolean {
  return classifyRedisError(error) === 'unavailable';
}

/**
 * Everything that touches BullMQ, except the worker's own loop. It knows the shard of a task. Every method throws
 * RequestError redis_unavailable, redis_full or redis_refused when Redis fails.
 */
export class TaskQueue {
  /** Also for callers of what speaks with the shards by itself. */
  readonly errors: ErrorsForCallers;
  /** What stands once for all shards, such as access keys and limits. */
  readonly fleet: FleetStores;
  readonly #shards: Shards;
  readonly #calls: QueueCalls;
  readonly #health: ShardHealth;
  readonly #audit: AuditLogs;
  readonly #batchers = new Map<Shard, SubmissionBatcher>();
  readonly #largeReads = new LargeReads();

  constructor(private readonly options: TaskQueueOptions) {
    const { redis, prefix, shards: count, replicated, onMismatch, onWait } = options;
    this.#health = options.health ?? new ShardHealth(isOutage);
    this.errors = new ErrorsForCallers(options);
    this.#shards = new Shards({ redis, prefix, count, scripts: ownScripts, replicated, onRefused: (error) => options.refusals?.refused(error), onMismatch, onWait, onOpen: (shards) => this.#opened(shards) });
    this.#calls = new QueueCalls(this.#shards, this.#health, this.errors);
    this.fleet = new FleetStores(options, { shards: this.#shards, health: this.#health, calls: this.#calls });
    this.#audit = new AuditLogs({ prefix, isCluster: isCluster(redis), shards: () => this.#shards.all() }, this.#calls.asking);
  }

  /** Resolves when Redis has answered once and the queues are open. @throws MismatchError as `onMismatch` */
  async ready(): Promise<void> {
    await this.#shards.whenOpen();
  }

  /**
   * Does what an operator asked for, and resolves or rejects when as many replicas have it as a submission needs. A refusal waits, too: that a
   * task is cancelled already, or a key is gone, is what an earlier call has written, and that one may have found too few replicas.
   * @throws RequestError redis_unavailable: it may be done, and a failover could undo it; what `work` throws
   */
  async lasting<T>(place: ChangePlace, work: () => Promise<T>): Promise<T> {
    const { replicated, redis, prefix } = this.options;
    if (replicated === undefined) return work();
    return this.#calls.speakLong(async () => {
      const shard = this.#shardAt(place);
      if (place !== 'fleet' && shard === undefined) return work();
      const tell = await replicated.after(shard?.keys.replicaMark ?? fleetReplicaMark(prefix, isCluster(redis)), () => answerOf(work), REQUEST_LIMIT_MS);
      return tell();
    });
  }

  /**
   * Accepts a task, or says why not; this is atomic in Redis. When it resolves with `created`, the task is stored.
   * @param content        of the task, if it was made before
   * @param idempotencyKey '' for none: see admit-function.ts
   */
  async submit(task: Task, content?: TaskContent, idempotencyKey = '', rules: SubmissionRules = {}): Promise<Admission> {
    // The batcher has the time limit, because the time that a task waits for others to be sent is not Redis'. QueueCalls.speakLong is written out here:
    // for every task it would cost 0.35 us of the 53 us that the API is busy with one.
    try {
      const shard = this.#shardOf(task.id);
      let batcher = this.#batchers.get(shard);
      if (batcher === undefined) this.#batchers.set(shard, (batcher = new SubmissionBatcher(shard)));
      const admission = await batcher.submit(new Submission(shard, task, this.options.deadAttempts, this.options.mask ?? defaultPathMask, content ?? contentOf(task, this.options.secrets ?? noSecretKeys), idempotencyKey, rules));
      this.options.refusals?.accepted();
      return admission;
    } catch (cause) {
      throw this.errors.asRequestError(cause);
    }
  }

  /** Whether there is a record of the id, of whatever state. */
  async has(taskId: string): Promise<boolean> {
    const shard = this.#shardOf(taskId);
    return this.#calls.speak(async () => (await this.options.redis.exists(shard.keys.job(taskId))) !== 0);
  }

  /** @param beforeLarge it is waited for before a large task is read; what it throws is thrown */
  async find(taskId: string, beforeLarge?: () => Promise<void>): Promise<TaskView | undefined> {
    const found = await this.findOf(taskId, undefined, beforeLarge);
    return found === 'foreign' ? undefined : found;
  }

  /**
   * The same for a caller that is bound to clients. Whose it is is looked at first: a large task of another client waits for no turn, and takes none.
   * @param clientIds undefined: of any client
   */
  async findOf(taskId: string, clientIds: readonly string[] | undefined, beforeLarge?: () => Promise<void>): Promise<TaskView | 'foreign' | undefined> {
    const read = (maxBytes: number): ReturnType<typeof readTask> => this.#calls.speak(() => readTask(this.#shardOf(taskId), taskId, maxBytes, clientIds));
    const found = await read(LARGE_TASK_BYTES);
    if (found !== 'too large') return found;
    const large = await this.#largeReads.take(async () => {
      await beforeLarge?.();
      return read(ANY_SIZE);
    });
    if (large === 'too large') throw new RangeError('a task was too large for any size');
    return large;
  }

  /**
   * Cancels a task that waits; deletes a parked one for good. When it resolves with `cancelled` or `deleted`, no worker
   * takes the task any more.
   * @param actions which of the two may be done to it
   */
  async cancel(taskId: string, acting: Acting = {}, actions: readonly Removal[] = ['cancel', 'delete']): Promise<Cancellation> {
    return this.#calls.speak(() => cancelTask(this.#shardOf(taskId), taskId, acting, actions));
  }

  /** Changes a task that waits, is parked or a dead letter, if it is still as it was read. */
  async edit(edited: EditedTask): Promise<Edit> {
    const { deadAttempts, mask = defaultPathMask } = this.options;
    return this.#calls.speak(() => editTask(this.#shardOf(edited.after.id), edited, { deadAttempts, mask }));
  }

  /** Makes a waiting task due now. It starts a dead or parked one again, as `redrive` does. */
  async retryNow(taskId: string, acting: Acting = {}): Promise<RetryNow> {
    return this.#calls.speak(() => retryNow(this.#shardOf(taskId), taskId, acting));
  }

  /**
   * It fails only when no shard answers.
   * @param unreadableForMs for how long a task counts as unreadable after the last try: see outcome.ts
   * @param limitMs another time than the one of askShards, ms
   */
  async counts(unreadableForMs: number, limitMs?: number): Promise<FleetCounts> {
    return this.#calls.speakLong(() => countTasks(this.#shards.all(), this.options.clock(), unreadableForMs, { ...this.#calls.asking, limitMs }));
  }

  /** The same without the estimates, for a scrape. */
  async plainCounts(limitMs?: number): Promise<PlainFleetCounts> {
    return this.#calls.speakLong(() => countPlainly(this.#shards.all(), this.options.clock(), { ...this.#calls.asking, limitMs }));
  }

  /** The due tasks of all shards. It fails when one of them does not answer. */
  async countDue(): Promise<number> {
    return this.#calls.speak(() => countDue(this.#shards.all(), this.options.clock()));
  }

  /** The log of the audit that has what is changed there: see AuditLogs. An unknown queue has none, so that of the fleet has it. */
  async withAudit<T>(place: ChangePlace, work: (log: AuditLog) => Promise<T>): Promise<T> {
    const shard = this.#shardAt(place);
    if (shard === undefined) return this.#calls.speakToFleet(() => work(this.#audit.ofFleet));
    this.#calls.mustAnswer(shard.queue.name);
    return this.#calls.speak(() => work(this.#audit.ofShard(shard)));
  }

  /** What operators did, of all logs together that answer. As readAudit, but @throws RequestError redis_unavailable, redis_refused when none does */
  async readAudit(matches: (entry: AuditEntry) => boolean, limit: number, range: AuditRange): Promise<AuditPage> {
    return this.#calls.speakLong(() => this.#audit.read(matches, limit, range));
  }

  /** Starts a dead or parked task again with all its retries, at once; its run goes up by one. @param by stands in the history of the task */
  async redrive(taskId: string, by?: Actor): Promise<Redrive> {
    return this.#calls.speak(() => redriveTask(this.#shardOf(taskId), taskId, by));
  }

  /**
   * Redrives every task that is in the failed set of one queue now; what fails again meanwhile is left.
   * @param queueName such as `deliver-0`
   * @throws RequestError not_found for an unknown one
   * @returns how many were started again, and how many another call had started or removed before
   */
  async redriveAll(queueName: string, by?: Actor): Promise<{ retried: number; skipped: number }> {
    return this.#calls.speakLong(async () => {
      const shard = this.#shards.all().find(({ queue }) => queue.name === queueName);
      if (shard === undefined) throw new RequestError('not_found', 'there is no such queue');
      return redriveFailed(shard, (taskId) => this.redrive(taskId, by));
    });
  }

  /** How many tasks are deferred, by flow; one answer for each shard. It fails only when no shard answers. @param named as WaitingLists.depths */
  async waitingListDepths(named: readonly Flow[]): Promise<ShardAnswers<WaitingListDepths>> {
    return this.#calls.askShards(async (shard) => [await new WaitingLists(shard).depths(named.map(({ id }) => id))]);
  }

  /** The keys of the tasks that failed last, in the shards that answer: see failed-destinations.ts. It fails only when no shard answers. */
  async failedDestinations(defaultBrokers: DefaultBrokers): Promise<readonly string[]> {
    return (await this.#calls.askShards((shard) => failedDestinations(shard, defaultBrokers))).answers;
  }

  /** One call of the API about what stands once for the whole fleet, and in each shard besides, such as bulk actions. */
  async withFleetAndShards<T>(work: (shards: readonly Shard[]) => Promise<T>): Promise<T> {
    return this.#calls.speakToFleet(() => work(this.#shards.all()));
  }

  /** One call of the API that speaks with the shards by itself. */
  async withShards<T>(work: (shards: readonly Shard[]) => Promise<T>): Promise<T> {
    return this.#calls.speak(() => work(this.#shards.all()));
  }

  get health(): ShardHealth {
    return this.#health;
  }

  /** Queues of the shards that owe an answer now; undefined when none answers, or where none can be away alone. Nothing is asked for it. */
  get shardsAway(): readonly string[] | undefined {
    if (!this.#health.isWatching) return undefined;
    const away = this.#health.late.filter((name) => name !== FLEET);
    return away.length === this.options.shards ? undefined : away;
  }

  /** It fails when no shard answers. @param limitMs as of `counts` */
  async ping(limitMs?: number): Promise<{ readonly shardsAway: readonly string[] }> {
    // It goes through the clients of the queues, so that it also says whether the queues are open.
    return this.#calls.askShards(async ({ client, keys }) => {
      await client.get(keys.janitorLock);
      return [];
    }, limitMs);
  }

  /** Where writes are taken now: see ping-writes.ts. It fails when no shard takes any. */
  async pingWrite(): Promise<PingedWrites> {
    return pingWrites(this.options, { calls: this.#calls, errors: this.errors, health: this.#health });
  }

  /**
   * The shards for the janitor, the workers and the board, which speak with Redis by themselves. @throws MismatchError as
   * `onMismatch`
   */
  async shards(): Promise<readonly Shard[]> {
    return this.#shards.whenOpen();
  }

  /** All shards, and the queues of those that do not answer now. It takes at most 0.2 s when Redis has answered once. @throws as `shards` */
  async answeringShards(): Promise<{ readonly shards: readonly Shard[]; readonly away: readonly string[] }> {
    const shards = await this.#shards.whenOpen();
    const names = shards.map(({ queue }) => queue.name);
    const answering = await this.#health.answering(names);
    return { shards, away: names.filter((name) => !answering.has(name)) };
  }

  async close(): Promise<void> {
    if (this.options.watchesShards === true) this.#health.stop();
    this.fleet.close();
    await this.#shards.close();
  }

  /** @throws RequestError redis_unavailable at once while the shard is away */
  #shardOf(taskId: string): Shard {
    const shard = this.#shards.get(shardOf(taskId, this.options.shards));
    this.#calls.mustAnswer(shard.queue.name);
    return shard;
  }

  /** undefined: what the whole fleet shares, or an unknown queue. @throws as #shardOf */
  #shardAt(place: ChangePlace): Shard | undefined {
    if (place === 'fleet') return undefined;
    return 'task' in place ? this.#shardOf(place.task) : this.#shards.all().find(({ queue }) => queue.name === place.queue);
  }

  #watch(shards: readonly Shard[]): void {
    // Parts of one server cannot be away alone: its connection tells.
    if (!isCluster(this.options.redis)) return;
    this.#health.watch([...shards.map(({ queue, client, keys }) => ({ name: queue.name, ask: () => client.get(keys.neverThere) })), this.fleet.part]);
  }

  #opened(shards: readonly Shard[]): void {
    this.fleet.opened();
    if (this.options.watchesShards === true) this.#watch(shards);
  }
}
