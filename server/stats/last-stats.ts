import { RepeatedStep } from '../../shared/lifecycle/repeated-step.js';
import { BUCKET_MS, type ActivityRead } from '../../shared/queue/stats/activity-store.js';
import type { Failures } from '../../shared/queue/stats/failure-store.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { Shown } from '../flow/last-flow.js';
import { LastRead } from './last-read.js';
import { DEFAULT_SPAN_MS } from './parse-since.js';

/** A process that nobody asks knows the last hour all the same, as of so long ago, ms. Redis needs some 2 ms for it. */
const LOOK_EVERY_MS = 60_000;

/** What is shown, and which shards do not answer while that part of Redis is away. */
export interface ShownStats<T> {
  /** undefined: nothing was read yet. */
  readonly shown: Shown<T> | undefined;
  readonly shardsAway: readonly string[];
}

/** What the fleet did by minute, and which sends failed. */
export class LastStats {
  readonly #minutes: LastRead<ActivityRead>;
  readonly #failures: LastRead<Failures>;
  readonly #looks = new RepeatedStep(() => this.#look());

  constructor(private readonly queue: Pick<TaskQueue, 'fleet' | 'shardsAway'>) {
    // The span may begin in the middle of a minute.
    this.#minutes = new LastRead((spanMs) => queue.fleet.withActivity((store) => store.read('minute', Math.ceil(spanMs / BUCKET_MS.minute) + 1)), ({ now }) => now, 'what was counted by minute');
    this.#failures = new LastRead((spanMs) => queue.fleet.withFailures((store) => store.read(spanMs)), ({ now }) => now, 'the counts of failed sends');
  }

  /** Starts to look at regular times. */
  start(): void {
    this.#looks.start();
  }

  /** It resolves when the look under way is done, or after 1 s. */
  stop(): Promise<void> {
    return this.#looks.stop();
  }

  /** @throws as LastRead.ofSpan */
  minutes(spanMs: number): Promise<ShownStats<ActivityRead>> {
    return this.#shown(this.#minutes, spanMs);
  }

  /** @throws as LastRead.ofSpan */
  failures(spanMs: number): Promise<ShownStats<Failures>> {
    return this.#shown(this.#failures, spanMs);
  }

  async #shown<T>(last: LastRead<T>, spanMs: number): Promise<ShownStats<T>> {
    const shown = await last.ofSpan(spanMs, () => this.queue.shardsAway !== undefined);
    return { shown, shardsAway: shown !== undefined && shown.knownAt === undefined ? [] : (this.queue.shardsAway ?? []) };
  }

  async #look(): Promise<number> {
    // What fails is in the log already: see redis-watch.ts and refusal-log.ts.
    await Promise.allSettled([this.minutes(DEFAULT_SPAN_MS), this.failures(DEFAULT_SPAN_MS)]);
    return LOOK_EVERY_MS;
  }
}
