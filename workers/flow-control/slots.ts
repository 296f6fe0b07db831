import { averageLatencyMs, endingSoon, mayStart, mostInFlight, type BulkheadRules } from '../../shared/domain/flow/bulkhead-rules.js';
import { firstWindow, windowAfter, windowAtStart, windowInSilence } from '../../shared/domain/flow/send-window.js';

/** A destination's right to one send; given back with `leave` or `discard`. */
export interface Slot {
  readonly destination: DestinationSlots;
  /** Monotonic milliseconds. */
  startedAt: number;
}

/** Slots of one host, and what this process knows of it. */
export class DestinationSlots {
  /** In the order of their start: the first one is the oldest. */
  readonly slots = new Set<Slot>();
  readonly held: Held[] = [];
  /** 0: it answered last. */
  failuresInARow = 0;
  latencyMs: number | undefined;
  idleSince = 0;
  /** When the window last grew because nothing was answered, monotonic ms. */
  grewAt = 0;

  constructor(
    readonly host: string,
    public window: number,
  ) {}

  get isIdle(): boolean {
    return this.slots.size === 0 && this.held.length === 0;
  }
}

interface Held {
  readonly admit: (slot: Slot | undefined) => void;
  readonly timer: NodeJS.Timeout;
}

/** How many destinations are remembered while nothing is sent to them: one costs some 500 bytes. */
const MAX_REMEMBERED = 10_000;
const FORGOTTEN_AT_ONCE = 1_000;

export interface SlotsOptions {
  readonly rules: BulkheadRules;
  /** false: windows are off, and a destination may use its whole share at once. */
  readonly hasWindows: boolean;
  /** Number of workers in the fleet, this one included; default 1. */
  readonly workers?: () => number;
  /** Monotonic milliseconds, such as performance.now. */
  readonly now: () => number;
}

/**
 * Shares the slots of this process among destinations: gives a slot at once, after a short hold, or not at all. The rules
 * are pure and stand in shared/domain/flow (bulkhead-rules.ts, send-window.ts).
 */
export class Slots {
  readonly #destinations = new Map<string, DestinationSlots>();
  readonly #holding = new Set<DestinationSlots>();
  #inFlight = 0;

  constructor(private readonly options: SlotsOptions) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Destinations remembered; bounded. */
  get remembered(): number {
    return this.#destinations.size;
  }

  /**
   * @param ignoresWindow true: the window of the destination does not count, only its share of the slots
   * @returns undefined: the task has to be put back
   */
  enter(host: string, ignoresWindow = false): Slot | undefined | Promise<Slot | undefined> {
    const destination = this.destination(host);
    const { slots, held, latencyMs } = destination;
    const { rules, now } = this.options;
    if (slots.size === 0) destination.window = windowAtStart(destination.window, now() - destination.idleSince, this.#firstWindow);
    this.#growInSilence(destination);
    const [oldest] = slots;
    const oldestMs = oldest === undefined ? 0 : now() - oldest.startedAt;
    const start = mayStart({ inFlight: slots.size, held: held.length, latencyMs, oldestMs, window: this.#windowOf(destination, ignoresWindow) }, this.#inFlight, rules);
    switch (start.kind) {
      case 'start':
        return this.#start(destination);
      case 'defer':
        return undefined;
      case 'hold':
        return this.#hold(destination, start.holdMs);
    }
  }

  /** Gives a slot whatever the rules say: for a single probe. */
  force(host: string): Slot {
    return this.#start(this.destination(host));
  }

  /** The send of the slot begins only now: it had to wait for a permission. */
  begin(slot: Slot): void {
    // Taken out and put back, because the first of the set has to be the oldest.
    if (!slot.destination.slots.delete(slot)) return;
    slot.startedAt = this.options.now();
    slot.destination.slots.add(slot);
  }

  /** @param failuresInARow of the destination, this send included; 0: it answered */
  leave(slot: Slot, failuresInARow: number): void {
    const { destination } = slot;
    const inFlight = destination.slots.size;
    if (!destination.slots.delete(slot)) return;
    const { now, rules } = this.options;
    destination.failuresInARow = failuresInARow;
    destination.latencyMs = averageLatencyMs(destination.latencyMs, now() - slot.startedAt);
    destination.window = windowAfter(destination.window, inFlight, failuresInARow, rules.slots);
    this.#freed(destination);
  }

  /** Gives a slot back from which nothing can be learnt: nothing was sent, or the failure was ours. */
  discard(slot: Slot): void {
    if (slot.destination.slots.delete(slot)) this.#freed(slot.destination);
  }

  /** Refuses all tasks that are held: they are put back. */
  releaseHeld(): void {
    for (const { held } of this.#holding) {
      for (const { timer, admit } of held.splice(0)) {
        clearTimeout(timer);
        admit(undefined);
      }
    }
    this.#holding.clear();
  }

  /** How many more tasks of the destination may be woken: they will start at once, or be held for a moment. */
  room(host: string, ignoresWindow = false): number {
    const { rules } = this.options;
    const destination = this.#destinations.get(host);
    if (destination === undefined) return mostInFlight(this.#windowOf({ window: this.#firstWindow }, ignoresWindow), this.#inFlight, rules);
    this.#growInSilence(destination);
    const { slots, held, latencyMs } = destination;
    const most = mostInFlight(this.#windowOf(destination, ignoresWindow), this.#inFlight, rules);
    return Math.max(0, most + endingSoon({ inFlight: slots.size, latencyMs }, rules) - slots.size - held.length);
  }

  /** Sends to the host begin slowly again, and its failures are forgotten. */
  restart(host: string): void {
    const destination = this.#destinations.get(host);
    if (destination === undefined) return;
    destination.window = Math.min(destination.window, this.#firstWindow);
    destination.failuresInARow = 0;
  }

  destination(host: string): DestinationSlots {
    const known = this.#destinations.get(host);
    if (known !== undefined) return known;
    this.#forgetSome();
    const made = new DestinationSlots(host, this.#firstWindow);
    this.#destinations.set(host, made);
    return made;
  }

  get #firstWindow(): number {
    return firstWindow(this.options.workers?.() ?? 1);
  }

  #start(destination: DestinationSlots): Slot {
    const slot = { destination, startedAt: this.options.now() };
    destination.slots.add(slot);
    this.#inFlight += 1;
    return slot;
  }

  #freed(destination: DestinationSlots): void {
    this.#inFlight -= 1;
    if (destination.slots.size === 0) destination.idleSince = this.options.now();
    if (this.#holding.size === 0) return;
    this.#admitHeld(destination);
    // One slot less in use raises the threshold of all destinations.
    for (const other of this.#holding) this.#admitHeld(other);
  }

  #growInSilence(destination: DestinationSlots): void {
    const { slots, window, failuresInARow } = destination;
    if (slots.size < window) return;
    const [oldest] = slots;
    const at = this.options.now();
    const silentMs = at - Math.max(oldest?.startedAt ?? at, destination.grewAt);
    destination.window = windowInSilence(window, slots.size, failuresInARow, silentMs, this.options.rules.slots);
    if (destination.window > window) destination.grewAt = at;
  }

  #hold(destination: DestinationSlots, holdMs: number): Promise<Slot | undefined> {
    return new Promise((admit) => {
      const held: Held = {
        admit,
        timer: setTimeout(() => {
          destination.held.splice(destination.held.indexOf(held), 1);
          if (destination.held.length === 0) this.#holding.delete(destination);
          admit(undefined);
        }, holdMs),
      };
      destination.held.push(held);
      this.#holding.add(destination);
    });
  }

  #admitHeld(destination: DestinationSlots): void {
    while (destination.held.length > 0 && destination.slots.size < mostInFlight(this.#windowOf(destination, false), this.#inFlight, this.options.rules)) {
      const held = destination.held.shift();
      clearTimeout(held?.timer);
      held?.admit(this.#start(destination));
    }
    if (destination.held.length === 0) this.#holding.delete(destination);
  }

  #windowOf({ window }: Pick<DestinationSlots, 'window'>, ignoresWindow: boolean): number {
    return this.options.hasWindows && !ignoresWindow ? window : Infinity;
  }

  /** Many at once, oldest first: the search for the oldest entry of a Map gets slower with each one deleted before it. */
  #forgetSome(): void {
    if (this.#destinations.size < MAX_REMEMBERED) return;
    let left = FORGOTTEN_AT_ONCE;
    for (const [host, destination] of this.#destinations) {
      if (!destination.isIdle) continue;
      this.#destinations.delete(host);
      left -= 1;
      if (left === 0) return;
    }
  }
}
