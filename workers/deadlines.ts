/** One time limit; its fields are for this file only. */
export interface Deadline {
  readonly dueAt: number;
  readonly onDue: () => void;
  before: Deadline | undefined;
  after: Deadline | undefined;
  isQueued: boolean;
}

/**
 * Time limits of the same length. Thousands are made each second, and nearly all of them are called off. They stand in a
 * list in the order of their ends, with one timer for the first.
 */
class EqualDeadlines {
  #first: Deadline | undefined;
  #last: Deadline | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly ms: number) {}

  add(onDue: () => void): Deadline {
    const deadline: Deadline = { dueAt: performance.now() + this.ms, onDue, before: this.#last, after: undefined, isQueued: true };
    if (this.#last === undefined) this.#first = deadline;
    else this.#last.after = deadline;
    this.#last = deadline;
    this.#timer ??= setTimeout(() => this.#expire(), this.ms);
    return deadline;
  }

  cancel(deadline: Deadline): void {
    if (!deadline.isQueued) return;
    this.#remove(deadline);
    // The timer is stopped when nothing is left, so that it keeps no process alive. Otherwise it looks again when the
    // limit that is now the first ends.
    if (this.#first !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    // Timers may fire a millisecond early by this clock.
    const now = performance.now() + 1;
    while (this.#first !== undefined && this.#first.dueAt <= now) {
      const { onDue } = this.#first;
      this.#remove(this.#first);
      onDue();
    }
    if (this.#first !== undefined) this.#timer ??= setTimeout(() => this.#expire(), Math.max(1, this.#first.dueAt - performance.now()));
  }

  #remove(deadline: Deadline): void {
    const { before, after } = deadline;
    deadline.isQueued = false;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
  }
}

/** Time limits of a few different lengths. */
export class Deadlines {
  readonly #byLength = new Map<number, EqualDeadlines>();

  /** @param ms whole milliseconds @returns a function that calls it off */
  add(ms: number, onDue: () => void): () => void {
    let equal = this.#byLength.get(ms);
    if (equal === undefined) this.#byLength.set(ms, (equal = new EqualDeadlines(ms)));
    const deadline = equal.add(onDue);
    const of = equal;
    return () => of.cancel(deadline);
  }
}
