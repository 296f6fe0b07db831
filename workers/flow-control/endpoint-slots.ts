/** One failure in a row changes no window. It also stands for a failure that says nothing of the host, or of the endpoint. */
export const SAYS_NOTHING = 1;

/** An endpoint's right to one send; given back with `leave` or `discard`. */
export interface Slot {
  readonly endpoint: EndpointSlots;
  /** It was started to find out whether its endpoint is quick: see bulkhead-rules.ts. */
  readonly isTry: boolean;
  /** Monotonic milliseconds. */
  startedAt: number;
  /** Those of its endpoint that were started right before and right after it; only for EndpointSlots. */
  older?: Slot | undefined;
  newer?: Slot | undefined;
}

/** Endpoints that may come to wait at a host while nobody asks whose turn it is: an iterator keeps 40 bytes of each. */
const MOST_UNASKED = 1_000;

/** What this process knows of one host, all of its endpoints together. */
export class HostSlots {
  /** Its endpoints with tasks that wait in their slots. */
  readonly holding = new Set<EndpointSlots>();
  #turns: Iterator<EndpointSlots, undefined> | undefined;
  #addedUnasked = 0;
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

  /** A task of the endpoint waits from now on. */
  hold(endpoint: EndpointSlots): void {
    this.holding.add(endpoint);
    this.#addedUnasked += 1;
    if (this.#addedUnasked >= MOST_UNASKED) this.forgetTurns();
  }

  /**
   * The endpoint whose turn it is, the first of `holding`. It has to be put at the end, or taken out, before the next call.
   * An iterator that stays where it is finds it at once. A new one would first pass all those that were taken out before.
   * @returns undefined when there is none
   */
  nextHolding(): EndpointSlots | undefined {
    this.#addedUnasked = 0;
    const next = this.#turns?.next().value;
    if (next !== undefined) return next;
    // An iterator that has come to the end sees nothing of what is added later.
    this.#turns = this.holding.values();
    return this.#turns.next().value;
  }

  /** An iterator that nobody asks keeps every table that its set has had since then. */
  forgetTurns(): void {
    this.#turns = undefined;
    this.#addedUnasked = 0;
  }
}

/** Slots of one endpoint or flow_key at one host, and what this process knows of it. Its `id` is the `keyId` of its flow. */
export class EndpointSlots {
  /**
   * The ends of a list in the order of their start. A Set whose first ones were taken out is slow to find its first, and it gets a new table after
   * every few sends, of each of thousands of endpoints.
   */
  #oldest: Slot | undefined;
  #newest: Slot | undefined;
  #inFlight = 0;
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
    return this.#inFlight;
  }

  /** undefined: nothing is in flight. */
  get oldest(): Slot | undefined {
    return this.#oldest;
  }

  get isIdle(): boolean {
    return this.#inFlight === 0 && this.held.length === 0;
  }

  /** @param slot one that is not among them */
  add(slot: Slot): void {
    slot.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = slot;
    else this.#newest.newer = slot;
    this.#newest = slot;
    this.#inFlight += 1;
  }

  /** @returns false: it is not among them */
  delete(slot: Slot): boolean {
    const { older, newer } = slot;
    if (older === undefined && this.#oldest !== slot) return false;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    slot.older = undefined;
    slot.newer = undefined;
    this.#inFlight -= 1;
    return true;
  }
}

/** A task that waits in its slot of BullMQ for room. */
export interface Held {
  readonly admit: (slot: Slot | undefined) => void;
  readonly timer: NodeJS.Timeout;
}
