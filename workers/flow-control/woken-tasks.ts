import type { Flow } from '../../shared/domain/destinations/flow.js';
import { ExpectedTasks } from './expected-tasks.js';
import type { Room } from './slots.js';

/** Tasks that this process woke and that are not here yet, of each flow, host and limit. The room of a fast flow is not taken by woken tasks of slow ones. */
export class WokenTasks {
  readonly #ofFlow = new ExpectedTasks();
  readonly #ofHost = new ExpectedTasks();
  readonly #ofLimit = new ExpectedTasks();

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number) {}

  /** Hosts that some are expected for. */
  get hosts(): number {
    return this.#ofHost.size;
  }

  /**
   * Some of the flow are woken now.
   * @param limit for whose name they count as well; undefined: nobody has limited it
   * @returns to be told how many of them were not there
   */
  expect({ keyId, hostId }: Flow, limit: string | undefined, count: number): (missing: number) => void {
    const now = this.now();
    const expected = [this.#ofFlow.expect(keyId, count, now), this.#ofHost.expect(hostId, count, now), ...(limit === undefined ? [] : [this.#ofLimit.expect(limit, count, now)])];
    return (missing) => {
      for (const each of expected) each.count -= missing;
    };
  }

  /**
   * A task of the flow is here: perhaps one that was woken.
   * @param limitOf asked only where some are expected for a limit
   * @param others  flows in whose lists it may have waited
   */
  arrived({ keyId, hostId }: Flow, limitOf: () => string | undefined, others: () => Iterable<{ readonly flow: Flow }>): void {
    if (this.#ofHost.size === 0 || !this.#ofHost.arrived(hostId)) return;
    if (this.#ofLimit.size > 0) this.#ofLimit.arrived(limitOf() ?? '');
    // It may have waited among "the others" of its host, before its endpoint was known.
    if (this.#ofFlow.arrived(keyId) || this.#ofFlow.arrived(hostId)) return;
    // Or in the list of an endpoint that was paused, with all flow_keys of it. If it counted as on its way, each wake-up would wait
    // for the next tick: 80 tasks a second.
    for (const { flow } of others()) if (this.#ofFlow.arrived(flow.keyId)) return;
  }

  /** Forgets those that other processes fetched: they never arrive here. */
  forgetLate(): void {
    for (const each of [this.#ofFlow, this.#ofHost, this.#ofLimit]) each.forgetLate(this.now());
  }

  /** Room that they do not take. */
  left({ keyId, hostId }: Flow, { ofFlow, ofHost }: Room): number {
    const now = this.now();
    return Math.min(ofFlow - this.#ofFlow.count(keyId, now), ofHost - this.#ofHost.count(hostId, now));
  }

  /** How many are on their way for the limit. */
  ofLimit(name: string): number {
    return this.#ofLimit.count(name, this.now());
  }
}
