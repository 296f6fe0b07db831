/** All requests together may work for this long in one turn of the event loop, ms. One step that cannot be cut may take longer. */
const TURN_MS = 10;
/** When so much of a turn has gone, a long step waits for the next turn. */
const TOO_LATE_MS = 5;
/** So many short pieces of work begin in each turn without a look at the clock. The look costs each of them 1 µs. */
const SHORT_AT_ONCE = 16;
/** Of the pieces that wait, at most so many begin in one turn. */
const SERVED_AT_ONCE = 64;

interface Waiting {
  /** It has to have the turn for itself. */
  readonly isLong: boolean;
  readonly begin: () => void;
}

/**
 * Deals out turns of the event loop to the work of all requests of a process. One request may be small and many of them may
 * be ready at the same moment, so it is not enough that each of them interrupts itself: all would go on in the same turn.
 *
 * While nothing waits, work begins at once, until this turn is used up. From then on all work waits in one line, and goes on
 * where Node runs immediates, in the order in which it came.
 */
export class WorkTurns {
  readonly #waiting: Waiting[] = [];
  /** Of the first work in this turn, monotonic ms; undefined: there was none yet. */
  #startedAt: number | undefined;
  /** Short pieces that have begun in this turn. */
  #shorts = 0;
  #isArmed = false;
  /** What waited goes on now. Its questions are answered by the clock alone, though others still wait. */
  #isServing = false;
  /** Nothing more that waits begins in this turn. */
  #isOver = false;

  /** Work that can be interrupted has to ask often, and to wait for `next` or `whenFree` when it is true. */
  get isUsedUp(): boolean {
    if (this.#waiting.length > 0 && !this.#isServing) return true;
    const now = performance.now();
    if (this.#startedAt !== undefined) return now - this.#startedAt >= TURN_MS;
    this.#startedAt = now;
    this.#arm();
    return false;
  }

  /** Resolves in a turn that no other long step has. It is for a step of milliseconds, and for work that goes on with `isUsedUp`. */
  next(): Promise<void> {
    return new Promise((begin) => this.#wait({ isLong: true, begin }));
  }

  /** Resolves in a turn that is not used up; others may go on in it, too. */
  whenFree(): Promise<void> {
    return new Promise((begin) => this.#wait({ isLong: false, begin }));
  }

  /** Begins a short piece of work now, or as soon as there is a turn for it. */
  begin(work: () => void): void {
    if (this.#waiting.length === 0 && this.#shorts < SHORT_AT_ONCE) {
      this.#shorts += 1;
      work();
    } else if (this.isUsedUp) {
      this.#wait({ isLong: false, begin: work });
    } else {
      work();
    }
  }

  #wait(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#arm();
  }

  /**
   * Immediates that are set here run behind each other, after Node has looked at the sockets. Between two of them everything
   * runs that the first has set going, so its time is known to the second.
   */
  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    for (let nth = Math.min(Math.max(this.#waiting.length, 1), SERVED_AT_ONCE); nth > 0; nth -= 1) setImmediate(this.#serve);
    setImmediate(this.#close);
  }

  readonly #serve = (): void => {
    const now = performance.now();
    const usedMs = now - (this.#startedAt ?? now);
    if (!this.#isServing) {
      this.#isServing = true;
      // What began without waiting has had its part of this turn. In the next one everything waits.
      this.#isOver = usedMs >= TOO_LATE_MS;
      this.#startedAt ??= now;
    }
    const [first] = this.#waiting;
    if (first === undefined || this.#isOver) return;
    if (usedMs >= (first.isLong ? TOO_LATE_MS : TURN_MS)) {
      this.#isOver = true;
      return;
    }
    this.#waiting.shift();
    if (first.isLong) {
      this.#isOver = true;
      this.#startedAt = now;
    }
    first.begin();
  };

  readonly #close = (): void => {
    this.#startedAt = undefined;
    this.#shorts = 0;
    this.#isArmed = false;
    this.#isServing = false;
    this.#isOver = false;
    if (this.#waiting.length > 0) this.#arm();
  };
}
