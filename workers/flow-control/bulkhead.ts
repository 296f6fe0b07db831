import { averageLatencyMs, mayStart, threshold, type BulkheadRules } from '../../shared/domain/flow-control.js';

/** A destination's right to one send; given back with `leave`. */
export interface Ticket {
  readonly destination: DestinationSlots;
  readonly startedAt: number;
}

/** Slots of one destination. Opaque outside: see Bulkhead. */
class DestinationSlots {
  /** In the order of their start, so the first one is the oldest. */
  readonly tickets = new Set<Ticket>();
  readonly held: Held[] = [];
  latencyMs: number | undefined;

  constructor(readonly key: string) {}

  get isIdle(): boolean {
    return this.tickets.size === 0 && this.held.length === 0;
  }
}

interface Held {
  readonly admit: (ticket: Ticket | undefined) => void;
  readonly timer: NodeJS.Timeout;
}

/** Destinations that are remembered while nothing is sent to them: a name costs some 200 bytes. */
const MAX_REMEMBERED = 10_000;
const FORGOTTEN_AT_ONCE = 1_000;

/**
 * Shares the slots of this process among destinations. Decides nothing: that is flow-control.ts. Hands out tickets at
 * once, after a short hold, or not at all.
 */
export class Bulkhead {
  readonly #destinations = new Map<string, DestinationSlots>();
  readonly #holding = new Set<DestinationSlots>();
  #inFlight = 0;

  /** @param now monotonic milliseconds, such as performance.now */
  constructor(
    private readonly rules: BulkheadRules,
    private readonly now: () => number,
  ) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Destinations remembered; bounded. */
  get remembered(): number {
    return this.#destinations.size;
  }

  /** @returns undefined: the task has to be put back */
  enter(key: string): Ticket | undefined | Promise<Ticket | undefined> {
    const destination = this.#destination(key);
    const { tickets, held, latencyMs } = destination;
    const [oldest] = tickets;
    const oldestMs = oldest === undefined ? 0 : this.now() - oldest.startedAt;
    const start = mayStart({ inFlight: tickets.size, held: held.length, latencyMs, oldestMs }, this.#inFlight, this.rules);
    switch (start.kind) {
      case 'start':
        return this.#start(destination);
      case 'defer':
        return undefined;
      case 'hold':
        return this.#hold(destination, start.holdMs);
    }
  }

  leave(ticket: Ticket): void {
    const { destination, startedAt } = ticket;
    if (!destination.tickets.delete(ticket)) return;
    this.#inFlight -= 1;
    destination.latencyMs = averageLatencyMs(destination.latencyMs, this.now() - startedAt);
    if (this.#holding.size === 0) return;
    this.#admitHeld(destination);
    // A slot less in use raises everybody's threshold.
    for (const other of this.#holding) this.#admitHeld(other);
  }

  /** All that wait in their slots are to be put back. */
  releaseHeld(): void {
    for (const { held } of this.#holding) {
      for (const { timer, admit } of held.splice(0)) {
        clearTimeout(timer);
        admit(undefined);
      }
    }
    this.#holding.clear();
  }

  /** How many more sends the destination may start now. */
  room(key: string): number {
    const destination = this.#destinations.get(key);
    const used = destination === undefined ? 0 : destination.tickets.size + destination.held.length;
    return Math.max(0, threshold(this.#inFlight, this.rules) - used);
  }

  #start(destination: DestinationSlots): Ticket {
    const ticket = { destination, startedAt: this.now() };
    destination.tickets.add(ticket);
    this.#inFlight += 1;
    return ticket;
  }

  #hold(destination: DestinationSlots, holdMs: number): Promise<Ticket | undefined> {
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
    while (destination.held.length > 0 && destination.tickets.size < threshold(this.#inFlight, this.rules)) {
      const held = destination.held.shift();
      clearTimeout(held?.timer);
      held?.admit(this.#start(destination));
    }
    if (destination.held.length === 0) this.#holding.delete(destination);
  }

  #destination(key: string): DestinationSlots {
    const known = this.#destinations.get(key);
    if (known !== undefined) return known;
    this.#forgetSome();
    const made = new DestinationSlots(key);
    this.#destinations.set(key, made);
    return made;
  }

  /** Many at once, oldest first: to find the oldest of a Map costs more the more were deleted before it. */
  #forgetSome(): void {
    if (this.#destinations.size < MAX_REMEMBERED) return;
    let left = FORGOTTEN_AT_ONCE;
    for (const [key, destination] of this.#destinations) {
      if (!destination.isIdle) continue;
      this.#destinations.delete(key);
      left -= 1;
      if (left === 0) return;
    }
  }
}
