import { setTimeout as pause } from 'node:timers/promises';
import { ScanPace, type StepCpu } from './scan-pace.js';

/** A step that has no answer by then holds up no other one, ms. It works in Redis for some 10 ms: its part of Redis is away, or busy with something else. */
const HOLDS_OTHERS_UP_MS = 150;

/** The time of a search was over before its turn came. Its step was not made. */
export class OutOfTimeError extends Error {
  override readonly name = 'OutOfTimeError';
}

/**
 * Steps of searches of one process, one after the other, so that Redis has one of their scripts at a time. Between two steps it is left
 * alone, for longer while it is needed for the tasks themselves (scan-pace.ts).
 */
export class ScanTurns {
  readonly #pace = new ScanPace();
  #last: Promise<void> = Promise.resolve();
  /** Redis is left alone until then, monotonic ms: also by what has not waited for a late step. */
  #restUntil = -Infinity;

  /**
   * @param isOfPart Redis has other parts, which others may search while this step has no answer
   * @param inTime   the wait for the turn, within the time of the search: it may reject
   * @returns what the step gives, when its turn has come. @throws what the step throws, and what `inTime` does: then the step is not made
   */
  async take<T extends { readonly cpu: StepCpu | undefined }>(step: () => Promise<T>, isOfPart = true, inTime: (turn: Promise<void>) => Promise<void> = (turn) => turn): Promise<T> {
    const before = this.#last;
    let release: () => void = () => undefined;
    this.#last = new Promise((resolve) => {
      release = resolve;
    });
    try {
      await inTime(before.then(() => this.#rest()));
    } catch (error) {
      // Those behind it go on waiting for those before it.
      void before.then(release);
      throw error;
    }
    return this.#run(step, release, isOfPart);
  }

  async #rest(): Promise<void> {
    const restMs = this.#restUntil - performance.now();
    if (restMs > 0) await pause(restMs);
  }

  /** @param release lets the next step begin */
  async #run<T extends { readonly cpu: StepCpu | undefined }>(step: () => Promise<T>, release: () => void, isOfPart: boolean): Promise<T> {
    const startedAt = performance.now();
    const late = isOfPart ? setTimeout(release, HOLDS_OTHERS_UP_MS) : undefined;
    // A shard that is away has done no work, and searches of the others wait for this turn.
    let pauseMs = 0;
    try {
      const done = await step();
      const tookMs = performance.now() - startedAt;
      pauseMs = done.cpu === undefined ? tookMs : this.#pace.pauseAfter(done.cpu, startedAt, tookMs);
      return done;
    } finally {
      clearTimeout(late);
      this.#restUntil = Math.max(this.#restUntil, performance.now() + pauseMs);
      release();
    }
  }
}
