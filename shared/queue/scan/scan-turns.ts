import { setTimeout as pause } from 'node:timers/promises';
import { ScanPace, type StepCpu } from './scan-pace.js';

/**
 * Steps of searches of one process, one after the other, so that Redis has one of their scripts at a time. Between two steps it is left
 * alone, for longer while it is needed for the tasks themselves (scan-pace.ts).
 */
export class ScanTurns {
  readonly #pace = new ScanPace();
  #last: Promise<unknown> = Promise.resolve();

  /** @returns what the step gives, when its turn has come. @throws what the step throws */
  async take<T extends { readonly cpu: StepCpu | undefined }>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      const startedAt = performance.now();
      const outcome = await step().then((value) => ({ value }), (error: unknown) => ({ error }));
      const tookMs = performance.now() - startedAt;
      // A shard that is away has done no work, and searches of the others wait for this turn.
      if ('error' in outcome) return { outcome, pauseMs: 0 };
      const { cpu } = outcome.value;
      return { outcome, pauseMs: cpu === undefined ? tookMs : this.#pace.pauseAfter(cpu, startedAt, tookMs) };
    });
    this.#last = turn.then(({ pauseMs }) => pause(pauseMs));
    const { outcome } = await turn;
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }
}
