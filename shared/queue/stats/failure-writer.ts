import type { FailureCounter } from '../../domain/stats/failure-counter.js';
import type { FailureCounts } from '../../domain/stats/failure-groups.js';
import { RepeatedStep } from '../../lifecycle/repeated-step.js';
import type { FailureStore } from './failure-store.js';

const EVERY_MS = 1_000;
/** After a failure: a write that Redis refuses may cost a connection and a log line. */
const AFTER_FAILURE_MS = 5_000;
/** While Redis is away the last write of a worker has no end. What it would have written is lost then. */
const STOP_WITHIN_MS = 500;

export interface FailureWriterOptions {
  readonly counter: FailureCounter;
  /** @throws while Redis has not answered yet */
  readonly store: () => FailureStore;
}

/**
 * Adds the failures that this process has counted to the buckets in Redis, once a second, and only when there are any. What Redis did
 * not take is added with the next ones; where only its answer was lost, it counts twice.
 */
export class FailureWriter {
  readonly #steps = new RepeatedStep(() => this.#write());
  #isStopped = false;

  constructor(private readonly options: FailureWriterOptions) {}

  start(): void {
    if (!this.#isStopped) this.#steps.start();
  }

  /** Writes the rest. It may be called before `start`, and twice. It never rejects. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await this.#steps.stop();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, STOP_WITHIN_MS)));
    await Promise.race([this.#write(), limit]);
    clearTimeout(timer);
  }

  /** @returns the pause until the next one, ms */
  async #write(): Promise<number> {
    const { counter, store } = this.options;
    const left = new Map<string, FailureCounts>(counter.take());
    if (left.size === 0) return EVERY_MS;
    try {
      await store().add(new Map(left), (groups) => { for (const group of groups) left.delete(group); });
      return EVERY_MS;
    } catch {
      // Redis is away or full. redis-watch.ts logs that, and the next write tries again.
      counter.giveBack(left);
      return AFTER_FAILURE_MS;
    }
  }
}
