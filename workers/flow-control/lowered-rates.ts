import { AdaptiveRate } from '../../shared/domain/flow/adaptive-rate.js';
import type { Flow } from '../../shared/domain/destinations/flow.js';
import type { RecentAnswers } from '../../shared/domain/flow/recent-answers.js';

/**
 * The rates of destinations that refuse too many sends with 429 or 503. They go by key and host: when the origins of one
 * flow_key differ, only the origin that refuses is sent less.
 */
export class LoweredRates {
  readonly #rates = new Map<string, LoweredRate>();

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number) {}

  /** @returns undefined: the flow has not refused too much lately */
  of(flow: Flow): AdaptiveRate | undefined {
    return this.#rates.size === 0 ? undefined : this.#rates.get(flow.keyId)?.rate;
  }

  /**
   * The flow has answered a send.
   * @param weight    as refusalWeight says; 0: accepted
   * @param startedAt when the send began
   * @param answers   all answers of the flow lately, this one included
   */
  answered(flow: Flow, weight: number, startedAt: number, answers: RecentAnswers): void {
    const lowered = this.#rates.size === 0 ? undefined : this.#rates.get(flow.keyId);
    if (lowered !== undefined) {
      lowered.answers = answers;
      lowered.rate.note(weight, startedAt, this.now());
    }
    if (weight > 0 && answers.isTooMuchRefused) this.#lower(flow, lowered?.rate, answers);
  }

  /** Raises all rates by the time that passed, and forgets those that have recovered; called by each tick. */
  recover(): void {
    if (this.#rates.size === 0) return;
    const now = this.now();
    for (const [keyId, { rate, answers }] of this.#rates) if (!rate.recover(answers.fullness(now), now)) this.#rates.delete(keyId);
  }

  #lower(flow: Flow, rate: AdaptiveRate | undefined, answers: RecentAnswers): void {
    const now = this.now();
    const acceptedPerSecond = answers.acceptedPerSecond(now);
    if (rate === undefined) this.#rates.set(flow.keyId, { rate: new AdaptiveRate(answers.perSecond(now), acceptedPerSecond, now), answers });
    else if (!rate.lower(acceptedPerSecond, now)) return;
    answers.restart(now);
  }
}

interface LoweredRate {
  readonly rate: AdaptiveRate;
  /** Those of the flow's row. A row that nothing was sent to for a while is made anew, with answers of its own. */
  answers: RecentAnswers;
}
