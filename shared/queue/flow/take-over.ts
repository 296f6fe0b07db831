import { isSilentByItself, SILENT_AFTER_MS, spellAfter, type RedisAnswer, type RedisSpell, type SilentWorker, type WorkerLife } from '../../domain/flow/dead-worker.js';
import type { Clock } from '../../domain/ports.js';
import { pause, RepeatedStep } from '../../lifecycle/repeated-step.js';
import { withinLimit } from '../../lifecycle/time-limit.js';
import type { Logger } from '../../logging/logger.js';
import { printError } from '../../logging/print-error.js';
import { connectionNameIn } from '../engine/connection-name.js';
import type { Shard } from '../engine/shard.js';
import { takeOver } from '../engine/take-over.js';
import type { RedisClient } from '../../redis/redis-connection.js';
import { connectionNames, readMasters } from '../../redis/redis-masters.js';
import type { FlowStore } from './flow-store.js';
import { ListingTurns } from './listing-turns.js';

const LOOK_EVERY_MS = 500;
/** After a failure, ms. Each look writes, and a write that Redis refuses may cost a connection and a log line. */
const LOOK_AFTER_FAILURE_MS = 5_000;
/** A question that has no answer after this time, ms, counts as a break. */
const ANSWERED_WITHIN_MS = 2_000;
/** How long the API looks at a worker that is silent and still connected, ms. */
const API_LOOKS_FOR_MS = 60_000;
/** The pause between two steps, so that other commands get their turn. */
const STEP_PAUSE_MS = 5;

export interface TakeOverOptions {
  readonly shards: readonly Shard[];
  readonly redis: RedisClient;
  readonly flowStore: FlowStore;
  /** This worker: its name, see createWorker, and its LOCK_DURATION, ms. undefined: the process is an API. */
  readonly self: { readonly workerName: string; readonly lockMs: number } | undefined;
  /** Redis' time. */
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each worker whose tasks were taken. */
  readonly onTaken: (tasks: number) => void;
}

/**
 * Takes over the tasks of workers that were killed, long before their locks lapse. Every worker and every API looks twice a second for
 * workers that have stopped to report; an API does because a fleet may have one worker alone. A worker is taken for dead only if
 *
 * - it fell silent by itself: Redis was there all the time, and the same (dead-worker.ts says how that is known), and
 * - none of its connections is left. The kernel closes those of a process that ends. One that is stopped, that is busy with
 *   something else, or whose machine is cut off keeps them, and then only its locks decide, as before. That Redis shows
 *   connections at all is known by those of the worker that looks. An API has none of this kind, so it must have seen those of
 *   the dead worker while it lived.
 */
export class TakeOver {
  readonly #looks = new RepeatedStep((signal) => this.#lookOrRest(signal));
  #isAsking = false;
  #answer: RedisAnswer | undefined;
  #life: WorkerLife | undefined;
  /** The dead workers whose tasks were taken, and when each reported last. */
  readonly #done = new Map<string, number>();
  readonly #listing = new ListingTurns();
  /** Of an API: the workers whose connections it has seen. It lists them while there is one that it has not seen. */
  readonly #seen = new Set<string>();

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
    const { redis, flowStore, self } = this.options;
    // The last question is still unanswered; a further one would only wait behind it.
    if (this.#isAsking) return;
    this.#isAsking = true;
    const askedAt = performance.now();
    // Behind the time for which locks last there is nothing left to take. An API also asks for those that live.
    const agoMs = self === undefined ? { min: 0, max: SILENT_AFTER_MS + API_LOOKS_FOR_MS } : { min: SILENT_AFTER_MS, max: SILENT_AFTER_MS + self.lockMs };
    const question = Promise.all([readMasters(redis), flowStore.silentWorkers(agoMs, self === undefined || this.#life === undefined ? undefined : { worker: self.workerName, life: this.#life })]);
    void question.catch(() => undefined).then(() => (this.#isAsking = false));
    const [masters, { now, silent }] = await withinLimit(question, ANSWERED_WITHIN_MS, () => new Error('Redis has not answered'));
    const answer: RedisAnswer = { redisNow: now, masters, askedAt, answeredAt: performance.now() };
    const spell = spellAfter(this.#life?.spell, this.#answer, answer);
    this.#answer = answer;
    this.#life = { startedAt: this.#life?.startedAt ?? now, spell, ...(self === undefined ? {} : { lockMs: self.lockMs }) };
    await this.#takeFrom(silent, spell, now, signal);
    if (self === undefined) await this.#seeThoseThatLive(silent, now);
  }

  async #seeThoseThatLive(workers: readonly SilentWorker[], now: number): Promise<void> {
    for (const name of this.#seen) if (!workers.some((each) => each.name === name)) this.#seen.delete(name);
    // One without a life is of a version whose tasks are never taken early.
    const isNew = workers.some(({ name, life, reportedAt }) => life !== undefined && now - reportedAt < SILENT_AFTER_MS && !this.#seen.has(name));
    if (!isNew || !this.#listing.isDue(performance.now())) return;
    this.#listing.begin(performance.now());
    const names = await this.#connectionNames();
    for (const { name } of workers) if (names !== undefined && this.options.shards.every((shard) => names.has(connectionNameIn(shard, name)))) this.#seen.add(name);
  }

  async #takeFrom(silent: readonly SilentWorker[], spell: RedisSpell, now: number, signal: AbortSignal): Promise<void> {
    for (const name of this.#done.keys()) if (!silent.some((each) => each.name === name)) this.#done.delete(name);
    const { self } = this.options;
    const suspects = silent.filter((each) => (self === undefined ? this.#seen.has(each.name) : each.name !== self.workerName) && this.#done.get(each.name) !== each.reportedAt && isSilentByItself(each, spell, now, self?.lockMs));
    if (suspects.length === 0) return;
    const names = await this.#connectionNames();
    for (const { name, reportedAt } of suspects) {
      if (names === undefined || this.#isConnected(name, names)) continue;
      await this.#takeAll(name, now - reportedAt, signal);
      this.#done.set(name, reportedAt);
    }
  }

  /** @returns undefined where Redis does not show them, or not now, so that no worker can be known to be gone */
  async #connectionNames(): Promise<ReadonlySet<string> | undefined> {
    const { redis, shards, self, logger } = this.options;
    try {
      const names = await connectionNames(redis);
      this.#listing.succeeded();
      // They are worth something only if they show us as well.
      return self === undefined || shards.every((shard) => names.has(connectionNameIn(shard, self.workerName))) ? names : undefined;
    } catch (error) {
      if (this.#listing.failed(error, performance.now())) logger.warn('Redis does not show its connections: the tasks of a worker that was killed come back when their locks lapse, not sooner', { error: printError(error) });
      return undefined;
    }
  }

  #isConnected(worker: string, names: ReadonlySet<string>): boolean {
    return this.options.shards.some((shard) => names.has(connectionNameIn(shard, worker)));
  }

  async #takeAll(worker: string, silentMs: number, signal: AbortSignal): Promise<void> {
    const { shards, flowStore, clock, logger, onTaken } = this.options;
    let tasks = 0;
    for (const shard of shards) tasks += await takeOver(shard, worker, clock(), () => pause(STEP_PAUSE_MS, signal));
    await flowStore.endProbesOf(worker);
    onTaken(tasks);
    if (tasks > 0) logger.warn('a worker is gone: the tasks in its hands go back, no attempt used', { worker, tasks, silent_ms: silentMs });
  }
}
