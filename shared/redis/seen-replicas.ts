/** What a write has shown holds for so long, ms. After that one more is made when somebody asks. */
const SHOWN_FOR_MS = 1_000;

interface Shown {
  readonly isEnough: boolean;
  readonly at: number;
}

/**
 * Whether the replicas of each master had the last writes of this process in time. INFO shows too little: a replica whose clients are paused, and one that was
 * frozen less than 10 s ago, are online there, and have nothing of what is written.
 */
export class SeenReplicas {
  readonly #shown = new Map<string, Shown>();

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** A write that came too late for its wait says nothing while others are replicated: so one that failed does not count for 1 s after one that succeeded. */
  saw(master: string, isEnough: boolean): void {
    if (!isEnough && this.#shown.get(master)?.isEnough === true && this.isFresh(master)) return;
    this.#shown.set(master, { isEnough, at: this.now() });
  }

  /** Whether what is known was shown just now. */
  isFresh(master: string): boolean {
    const shown = this.#shown.get(master);
    return shown !== undefined && this.now() - shown.at < SHOWN_FOR_MS;
  }

  /** What was shown last; true for a master that nothing is known of. */
  hasEnough(master: string): boolean {
    return this.#shown.get(master)?.isEnough !== false;
  }

  forget(master: string): void {
    this.#shown.delete(master);
  }
}
