import { AdaptiveRate } from '../../shared/domain/flow/adaptive-rate.js';
import type { Flow } from '../../shared/domain/destinations/flow.js';

/**
 * The rates of destinations that answered 429. They go by waiting list: when the origins of one flow_key differ, only
 * the origin that complained is sent less.
 */
export class LoweredRates {
  readonly #rates = new Map<string, AdaptiveRate>();

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number) {}

  /** @returns undefined: the flow has not answered 429 lately */
  of(flow: Flow): AdaptiveRate | undefined {
    return this.#rates.size === 0 ? undefined : this.#rates.get(flow.id);
  }

  /** The flow answered 429. @param sentPerSecond what was sent to it until then */
  lower(flow: Flow, sentPerSecond: number): void {
    const rate = this.of(flow);
    if (rate === undefined) this.#rates.set(flow.id, new AdaptiveRate(sentPerSecond, this.now()));
    else rate.lower(this.now());
  }

  /** Raises all rates by the time that passed, and forgets those that have recovered; called by each tick. */
  recover(): void {
    if (this.#rates.size === 0) return;
    const now = this.now();
    for (const [waitingList, rate] of this.#rates) if (!rate.recover(now)) this.#rates.delete(waitingList);
  }
}
