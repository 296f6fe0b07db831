import { Health, type CircuitRules } from './circuit.js';
import type { Refusal } from './refused-row.js';

/** Fewer failing endpoints say nothing of their host: each has a circuit of its own. */
const FEWEST_ENDPOINTS = 3;

/**
 * Results of one host as one process saw them lately. Failures that blame the host count as those of an endpoint do. Failures
 * that blame an endpoint count in a row of their own. It opens the circuit of the host as well, when at least three
 * endpoints have failed in it and the host has answered nothing since it began. So one dead path never stops the
 * others, and a dead gateway with a thousand paths is found out before each path has failed thirty times.
 */
export class HostHealth {
  readonly #own = new Health();
  /** Sum of weights. */
  #row = 0;
  #lastFailedAt = -Infinity;
  #lastFailedTask = '';
  /** The endpoints that failed last, and when: no more than are needed, the newest at the end. */
  readonly #endpoints = new Map<string, number>();

  /** Failures in a row that blame the host. */
  get failuresInARow(): number {
    return this.#own.failuresInARow;
  }

  /** The host answered, whatever it said of one task. */
  noteAnswer(at: number, rules: CircuitRules): void {
    this.#own.note(0, '', at, rules);
    if (this.#row > 0) this.#endRow();
  }

  /** @returns true when the failures so far have to open the circuit */
  noteHostFailure(weight: number, taskId: string, at: number, rules: CircuitRules, workers: number): boolean {
    return this.#own.note(weight, taskId, at, rules, workers);
  }

  /** @returns true when the failures so far have to open the circuit */
  noteEndpointFailure(endpoint: string, weight: number, taskId: string, at: number, rules: CircuitRules, workers: number, refusal?: Refusal): boolean {
    if (at - this.#lastFailedAt > rules.rowGapMs) this.#endRow();
    // Failures of one task alone do not count further: its own policy spreads its retries already.
    if (this.#row === 0 || taskId !== this.#lastFailedTask) this.#row += weight;
    this.#lastFailedAt = at;
    this.#lastFailedTask = taskId;
    this.#endpoints.delete(endpoint);
    this.#endpoints.set(endpoint, at);
    for (const [oldest, failedAt] of this.#endpoints) {
      // An endpoint that gets no more tasks leaves the row.
      if (this.#endpoints.size <= FEWEST_ENDPOINTS && at - failedAt <= rules.rowGapMs) break;
      this.#endpoints.delete(oldest);
    }
    // A gateway that takes so many a second refuses all paths alike.
    return this.#own.opens(this.#endpoints.size >= FEWEST_ENDPOINTS && this.#row >= this.#own.rowNeeded(at, rules, workers), refusal, at, rules);
  }

  /** Its endpoints keep what is known of them. */
  forget(): void {
    this.#own.forget();
    this.#endRow();
  }

  #endRow(): void {
    this.#row = 0;
    this.#endpoints.clear();
  }
}
