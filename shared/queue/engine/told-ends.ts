import type { ToldEnd } from './told-bulk-action.js';

/**
 * The ends of jobs that a bulk action is to be told, in the script that records them. Nearly always it is empty: a worker notes only
 * jobs whose log names such an action.
 */
export class ToldEnds {
  readonly #ends = new Map<string, ToldEnd>();

  /** To be called before the job ends. It holds until `forget`, because BullMQ repeats a call that Redis did not answer. */
  note(jobId: string, end: ToldEnd): void {
    this.#ends.set(jobId, end);
  }

  /** @returns undefined for a job that is in no bulk action */
  of(jobId: unknown): ToldEnd | undefined {
    return this.#ends.size === 0 ? undefined : this.#ends.get(String(jobId));
  }

  /** The job is through, recorded or not. */
  forget(jobId: string): void {
    if (this.#ends.size > 0) this.#ends.delete(jobId);
  }
}
