import { AdaptiveRate } from '../../shared/domain/flow/adaptive-rate.js';
import type { Flow } from '../../shared/domain/destinations/flow.js';
import type { RecentAnswers } from '../../shared/domain/flow/recent-answers.js';

/**
 * The rates of destinations that refuse too many sends with 429 or 503. They go by key and host: when the origins of one
 * flow_key differ, only the origin that refuses is sent less.
 */
export class LoweredRates {
  readonly #rates = new Map<string, AdaptiveRate>();

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number) {}

  /** @returns undefined: the flow has not refused too much lately */
  of(flow: Flow): AdaptiveRate | undefined {
    return this.#rates.size === 0 ? undefined : this.#rates.get(flow.keyId);
  }

  /** The flow has refused a send. @param answers all its answers lately, this one included */
  refused(flow: Flow, answers: RecentAnswers): void {
    const now = this.now();
    const rate = this.of(flow);
    if (!answers.isTooMuchRefused) {
      rate?.hold(now);
    } else if (rate === undefined) {
      this.#rates.set(flow.keyId, new AdaptiveRate(answers.perSecond(now), now));
      answers.restart(now);
    } else if (rate.lower(now)) {
      answers.restart(now);
    }
  }

  /** Raises all rates by the time that passed, and forgets those that have recovered; called by each tick. */
  recover(): void {
    if (this.#rates.size === 0) return;
    const now = this.now();
    for (const [keyId, rate] of this.#rates) if (!rate.recover(now)) this.#rates.delete(keyId);
  }
}
