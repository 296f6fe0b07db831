import { isSilentByItself, SILENT_AFTER_MS, spellAfter, type RedisAnswer, type RedisSpell, type SilentWorker, type WorkerLife } from '../shared/domain/flow/dead-worker.js';
import type { Clock } from '../shared/domain/ports.js';
import { pause, RepeatedStep } from '../shared/lifecycle/repeated-step.js';
import { withinLimit } from '../shared/lifecycle/time-limit.js';
import type { Logger } from '../shared/logging/logger.js';
import { printError } from '../shared/logging/print-error.js';
import { connectionNameIn } from '../shared/queue/engine/connection-name.js';
import type { Shard } from '../shared/queue/engine/shard.js';
import { takeOver } from '../shared/queue/engine/take-over.js';
import type { FlowStore } from '../shared/queue/flow/flow-store.js';
import type { RedisClient } from '../shared/redis/redis-connection.js';
import { connectionNames, readMasters } from '../shared/redis/redis-masters.js';

const LOOK_EVERY_MS = 500;
/** After a failure, ms. Each look writes, and a write that Redis refuses may cost a connection and a log line. */
const LOOK_AFTER_FAILURE_MS = 5_000;
/** A question that has no answer after this time, ms, counts as a break. */
const ANSWERED_WITHIN_MS = 2_000;
/** The pause between two steps, so that other commands get their turn. */
const STEP_PAUSE_MS = 5;

export interface TakeOverOptions {
  readonly shards: readonly Shard[];
  readonly redis: RedisClient;
  readonly flowStore: FlowStore;
  /** The name of this worker: see createWorker. */
  readonly workerName: string;
  /** LOCK_DURATION, ms. */
  readonly lockMs: number;
  /** Redis' time. */
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Takes over the tasks of workers that were killed, long before their locks lapse. Every worker looks twice a second for
 * workers that have stopped to report. A worker is taken for dead only if
 *
 * - it fell silent by itself: Redis was there all the time, and the same (dead-worker.ts says how that is known), and
 * - none of its connections is left. The kernel closes those of a process that ends. One that is stopped, that is busy with
 *   something else, or whose machine is cut off keeps them, and then only its locks decide, as before.
 */
export class TakeOver {
  readonly #looks = new RepeatedStep((signal) => this.#lookOrRest(signal));
  #isAsking = false;
  #answer: RedisAnswer | undefined;
  #life: WorkerLife | undefined;
  /** The dead workers whose tasks were taken, and when each reported last. */
  readonly #done = new Map<string, number>();
  #mayList = true;

  constructor(private readonly options: TakeOverOptions) {}

  start(): void {
    this.#looks.start();
  }

  /** It resolves when the step under way is done, or after 1 s. */
  stop(): Promise<void> {
    return this.#looks.stop();
  }

  async #lookOrRest(signal: AbortSignal): Promise<number> {
    try {
      await this.#look(signal);
      return LOOK_EVERY_MS;
    } catch {
      // Redis is away, or full: redis-watch.ts and the brake log that. The next look knows that there was a break.
      this.#answer = undefined;
      return LOOK_AFTER_FAILURE_MS;
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { redis, flowStore, workerName, lockMs } = this.options;
    // The last question is still unanswered; a further one would only wait behind it.
    if (this.#isAsking) return;
    this.#isAsking = true;
    const askedAt = performance.now();
    // Behind the time for which locks last there is nothing left to take.
    const question = Promise.all([readMasters(redis), flowStore.silentWorkers(workerName, this.#life, { min: SILENT_AFTER_MS, max: SILENT_AFTER_MS + lockMs })]);
    void question.catch(() => undefined).then(() => (this.#isAsking = false));
    const [masters, { now, silent }] = await withinLimit(question, ANSWERED_WITHIN_MS, () => new Error('Redis has not answered'));
    const answer: RedisAnswer = { redisNow: now, masters, askedAt, answeredAt: performance.now() };
    const spell = spellAfter(this.#life?.spell, this.#answer, answer);
    this.#answer = answer;
    this.#life = { startedAt: this.#life?.startedAt ?? now, spell };
    await this.#takeFrom(silent, spell, now, signal);
  }

  async #takeFrom(silent: readonly SilentWorker[], spell: RedisSpell, now: number, signal: AbortSignal): Promise<void> {
    for (const name of this.#done.keys()) if (!silent.some((each) => each.name === name)) this.#done.delete(name);
    const suspects = silent.filter((each) => each.name !== this.options.workerName && this.#done.get(each.name) !== each.reportedAt && isSilentByItself(each, spell, now, this.options.lockMs));
    if (suspects.length === 0) return;
    const names = await this.#connectionNames();
    for (const { name, reportedAt } of suspects) {
      if (names === undefined || this.#isConnected(name, names)) continue;
      await this.#takeAll(name, now - reportedAt, signal);
      this.#done.set(name, reportedAt);
    }
  }

  /** @returns undefined where Redis does not show them, so that no worker can be known to be gone */
  async #connectionNames(): Promise<ReadonlySet<string> | undefined> {
    const { redis, shards, workerName, logger } = this.options;
    try {
      const names = await connectionNames(redis);
      // They are worth something only if they show us as well.
      return shards.every((shard) => names.has(connectionNameIn(shard, workerName))) ? names : undefined;
    } catch (error) {
      if (this.#mayList) logger.warn('Redis does not show its connections: the tasks of a worker that was killed come back when their locks lapse, not sooner', { error: printError(error) });
      this.#mayList = false;
      return undefined;
    }
  }

  #isConnected(worker: string, names: ReadonlySet<string>): boolean {
    return this.options.shards.some((shard) => names.has(connectionNameIn(shard, worker)));
  }

  async #takeAll(worker: string, silentMs: number, signal: AbortSignal): Promise<void> {
    const { shards, clock, logger } = this.options;
    let tasks = 0;
    for (const shard of shards) tasks += await takeOver(shard, worker, clock(), () => pause(STEP_PAUSE_MS, signal));
    if (tasks > 0) logger.warn('a worker is gone: the tasks in its hands go back, no attempt used', { worker, tasks, silent_ms: silentMs });
  }
}
