/** A call of a worker's loop that Redis has not answered yet. */
export interface PendingCall {
  /** `wait`: until a job is due. `fetch`: of the next job. `connect`: of the connection that waits. */
  readonly kind: 'wait' | 'fetch' | 'connect';
  /** When it began, monotonic milliseconds. */
  readonly since: number;
  /** How long it may take by itself, ms: the time for which a wait blocks; 0 for a fetch. */
  readonly blockMs: number;
}

/** What the loop of one BullMQ worker is waiting for. It tells a loop that is idle from one that hangs. */
export class PendingCalls {
  /** A Set keeps its order: the first one is the oldest. */
  readonly #pending = new Set<PendingCall>();
  #fetches = 0;
  #waitsEnded = 0;
  #mayFetch = true;
  /** Called after a fetch has ended and the worker has seen its job. */
  onFetched: () => void = () => undefined;

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {}

  get oldest(): PendingCall | undefined {
    for (const call of this.#pending) return call;
    return undefined;
  }

  get isFetching(): boolean {
    return this.#fetches > 0;
  }

  /** How many waits have ended so far. A loop that hangs ends none. */
  get waitsEnded(): number {
    return this.#waitsEnded;
  }

  get mayFetch(): boolean {
    return this.#mayFetch;
  }

  /** From now on no fetch begins. A wait that ends at the same moment brings no job then. */
  stopFetching(): void {
    this.#mayFetch = false;
  }

  track<T>(kind: PendingCall['kind'], blockMs: number, call: () => Promise<T>): Promise<T> {
    const pending: PendingCall = { kind, since: this.now(), blockMs };
    this.#pending.add(pending);
    if (kind === 'fetch') this.#fetches += 1;
    const answer = call();
    const ended = (): void => this.#ended(pending);
    answer.then(ended, ended);
    return answer;
  }

  #ended(call: PendingCall): void {
    this.#pending.delete(call);
    if (call.kind === 'wait') this.#waitsEnded += 1;
    if (call.kind !== 'fetch') return;
    this.#fetches -= 1;
    // BullMQ tells of the job a few promises later.
    if (!this.#mayFetch) setImmediate(() => this.onFetched());
  }
}
