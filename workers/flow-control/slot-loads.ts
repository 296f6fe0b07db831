import { isQuick, type BulkheadRules, type EndpointLoad, type HostLoad } from '../../shared/domain/flow/bulkhead-rules.js';
import { SAYS_NOTHING, type EndpointSlots, type HostSlots, type Slot } from './endpoint-slots.js';

/** So many sends that take long show that an endpoint hangs, however many are in flight. */
const OLDEST_LOOKED_AT = 8;

export interface SlotLoadsOptions {
  readonly rules: BulkheadRules;
  /** false: windows are off, and an endpoint may use its whole share at once. */
  readonly hasWindows: boolean;
  /** Monotonic milliseconds, such as performance.now. */
  readonly now: () => number;
}

/** The slots of endpoints and hosts as the rules of bulkhead-rules.ts want to see them. */
export class SlotLoads {
  constructor(private readonly options: SlotLoadsOptions) {}

  /**
   * Time alone makes an endpoint hang, so each look at it also counts its sends in flight anew for the host.
   * @param ignoresWindow true: windows do not count, only shares of the slots
   * @param now           monotonic ms
   */
  ofEndpoint(endpoint: EndpointSlots, ignoresWindow = false, now = this.options.now()): EndpointLoad {
    const { inFlight, oldest, held, latencyMs, refused, host } = endpoint;
    const oldestMs = oldest === undefined ? 0 : now - oldest.startedAt;
    const load = { inFlight, held: held.length, latencyMs, oldestMs, isHanging: oldestMs > this.options.rules.holdMs && this.#areOld(oldest, now), window: this.#windowOf(endpoint.window, ignoresWindow), refused };
    const isQuickNow = isQuick(load, this.options.rules);
    if (isQuickNow !== endpoint.isQuick) {
      host.unproven += isQuickNow ? -inFlight : inFlight;
      endpoint.isQuick = isQuickNow;
    }
    return load;
  }

  ofHost({ inFlight, window, unproven, tries, failuresInARow }: HostSlots, ignoresWindow = false): HostLoad {
    return { inFlight, window: this.#windowOf(window, ignoresWindow), unproven, tries, hasFailed: failuresInARow > SAYS_NOTHING };
  }

  /** @param window that it begins with */
  ofUnknownEndpoint(window: number, ignoresWindow: boolean): EndpointLoad {
    return { inFlight: 0, held: 0, latencyMs: undefined, oldestMs: 0, isHanging: false, window: this.#windowOf(window, ignoresWindow), refused: 0 };
  }

  /** @param window that it begins with */
  ofUnknownHost(window: number, ignoresWindow: boolean): HostLoad {
    return { inFlight: 0, window: this.#windowOf(window, ignoresWindow), unproven: 0, tries: 0, hasFailed: false };
  }

  /** Do the oldest ones, as many as are looked at, take longer than a task may be held for? A single one may be chance. */
  #areOld(oldest: Slot | undefined, now: number): boolean {
    const before = now - this.options.rules.holdMs;
    let left = OLDEST_LOOKED_AT;
    for (let slot = oldest; slot !== undefined && left > 0; slot = slot.newer) {
      if (slot.startedAt > before) return false;
      left -= 1;
    }
    return true;
  }

  #windowOf(window: number, ignoresWindow: boolean): number {
    return this.options.hasWindows && !ignoresWindow ? window : Infinity;
  }
}
