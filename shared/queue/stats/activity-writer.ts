import { setTimeout as wait } from 'node:timers/promises';
import { alignedMs } from '../../lifecycle/aligned-timer.js';
import type { ActivityCounter } from '../../domain/stats/activity-counter.js';
import type { ActivityField } from '../../domain/stats/activity.js';
import type { RedisClock } from '../../redis/redis-clock.js';
import type { ActivityStore } from './activity-store.js';

const EVERY_MS = 1_000;
/** After a failure: a write that Redis refuses may cost a connection and a log line. */
const AFTER_FAILURE_MS = 5_000;
/** While Redis is away the last write of a worker has no end. What it would have written is lost then. */
const STOP_WITHIN_MS = 500;

export interface ActivityWriterOptions {
  readonly counter: ActivityCounter;
  /** @throws while Redis has not answered yet */
  readonly store: () => ActivityStore;
  /** The due tasks of the fleet. @throws when a shard does not answer: then they are not recorded, rather than too few */
  readonly countDue: () => Promise<number>;
  /** It learns from each answer. */
  readonly redisClock?: RedisClock;
}

/**
 * Adds what this process has counted to the buckets in Redis, once a second. A process that is killed loses at most what it
 * counted since. Counts that Redis did not take are added with the next ones; where only its answer was lost, they count twice.
 */
export class ActivityWriter {
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isStopped = false;
  #left: readonly ActivityField[] = [];
  #pauseMs = EVERY_MS;

  constructor(private readonly options: ActivityWriterOptions) {}

  start(): void {
    if (!this.#isStopped) this.#timer ??= setTimeout(() => void this.#turn(), alignedMs(this.#pauseMs, performance.now()));
  }

  /** Writes the rest. It may be called before `start`, and twice. It never rejects, and takes at most 0.5 s. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const limit = new AbortController();
    const last = (this.#writing ?? Promise.resolve()).then(() => this.#write());
    await Promise.race([last, wait(STOP_WITHIN_MS, undefined, { signal: limit.signal }).catch(() => undefined)]);
    limit.abort();
  }

  /** The next write is scheduled when the last one is over, so two never run at once. */
  async #turn(): Promise<void> {
    this.#writing = this.#write();
    await this.#writing;
    this.#timer = undefined;
    this.start();
  }

  async #write(): Promise<void> {
    const { counter, store, countDue, redisClock } = this.options;
    const fields = sum([...this.#left, ...counter.take()]);
    this.#left = fields;
    try {
      const askedAt = performance.now();
      const { isItsTurn, now } = await store().add(fields);
      redisClock?.learn(now, askedAt);
      this.#left = [];
      if (isItsTurn) await store().setDue(await countDue());
      this.#pauseMs = EVERY_MS;
    } catch {
      this.#pauseMs = AFTER_FAILURE_MS;
      // Redis is away or full. redis-watch.ts logs that, and the next write tries again.
    }
  }
}

/** Several counts of one name become one. */
function sum(fields: readonly ActivityField[]): ActivityField[] {
  const sums = new Map<string, number>();
  for (const [name, count] of fields) sums.set(name, (sums.get(name) ?? 0) + count);
  return [...sums];
}
