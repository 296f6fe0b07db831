/** One failure in a row changes no window. It also stands for a failure that says nothing of the host, or of the endpoint. */
export const SAYS_NOTHING = 1;

/** An endpoint's right to one send; given back with `leave` or `discard`. */
export interface Slot {
  readonly endpoint: EndpointSlots;
  /** It was started to find out whether its endpoint is quick: see bulkhead-rules.ts. */
  readonly isTry: boolean;
  /** Monotonic milliseconds. */
  startedAt: number;
}

/** What this process knows of one host, all of its endpoints together. */
export class HostSlots {
  /** Its endpoints with tasks that wait in their slots. */
  readonly holding = new Set<EndpointSlots>();
  /** Endpoints remembered. */
  endpoints = 0;
  inFlight = 0;
  /** Those in flight to endpoints that are not known to be quick, and those of them that are tries. */
  unproven = 0;
  tries = 0;
  held = 0;
  /** Failures in a row that blame the host: only these shrink its window. 0: it answered last. */
  failuresInARow = 0;
  idleSince = 0;
  busySince = 0;
  /** Silence counts from here on at the earliest, monotonic ms: the window grew then because nothing was answered, or nothing could be heard before. */
  silentFrom = 0;

  constructor(
    readonly id: string,
    public window: number,
  ) {}
}

/** Slots of one endpoint or flow_key at one host, and what this process knows of it. Its `id` is the `keyId` of its flow. */
export class EndpointSlots {
  /** In the order of their start: the first one is the oldest. */
  readonly #slots = new Set<Slot>();
  /** undefined while it is not known: a Set whose first ones were taken out is slow to find its first. */
  #oldest: Slot | undefined;
  readonly held: Held[] = [];
  /** 0: it answered last. */
  failuresInARow = 0;
  latencyMs: number | undefined;
  /** As it was judged last: its sends in flight are counted for the host accordingly. */
  isQuick = false;
  /** Tasks that found no room since its last send began. */
  refused = 0;
  idleSince = 0;
  /** Silence counts from here on at the earliest, monotonic ms: the window grew then because nothing was answered, or nothing could be heard before. */
  silentFrom = 0;

  constructor(
    readonly id: string,
    readonly host: HostSlots,
    public window: number,
  ) {}

  get inFlight(): number {
    return this.#slots.size;
  }

  /** undefined: nothing is in flight. */
  get oldest(): Slot | undefined {
    if (this.#oldest === undefined) [this.#oldest] = this.#slots;
    return this.#oldest;
  }

  /** Oldest first. */
  get slots(): Iterable<Slot> {
    return this.#slots;
  }

  get isIdle(): boolean {
    return this.#slots.size === 0 && this.held.length === 0;
  }

  add(slot: Slot): void {
    this.#slots.add(slot);
  }

  /** @returns false: it is not among them */
  delete(slot: Slot): boolean {
    if (this.#oldest === slot) this.#oldest = undefined;
    return this.#slots.delete(slot);
  }
}

/** A task that waits in its slot of BullMQ for room. */
export interface Held {
  readonly admit: (slot: Slot | undefined) => void;
  readonly timer: NodeJS.Timeout;
}
