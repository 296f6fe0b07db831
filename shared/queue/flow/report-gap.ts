/**
 * How long nothing is concluded from missing reports, once they can be written again, ms. Workers report each second, connect again first, and what they
 * reported before the gap has lapsed.
 */
const UNKNOWN_FOR_MS = 5_000;

/** When workers could not report lately, as this process saw it: what is not reported behind such a gap is not known, and is not said to be missing. */
export class ReportGap {
  #seenAt = -Infinity;

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Reports cannot be written now, or could not until now. */
  seen(): void {
    this.#seenAt = this.now();
  }

  get isRecent(): boolean {
    return this.now() - this.#seenAt < UNKNOWN_FOR_MS;
  }

  /** @param workers that reported; undefined: none can report now. @returns undefined also for none, behind a gap */
  known(workers: number | undefined): number | undefined {
    if (workers === undefined) this.seen();
    return workers === 0 && this.isRecent ? undefined : workers;
  }
}
