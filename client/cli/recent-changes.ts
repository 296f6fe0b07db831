import type { TaskSummary } from '../answers.js';

/** How long a poll looks back beyond the last one, ms: writes come late, and the clocks of the nodes differ a little. */
const OVERLAP_MS = 10_000;
/** A line that was in none of so many polls does not come again. */
const REMEMBERED_POLLS = 10;

/**
 * Finds what is new among tasks that are read again and again. Each poll asks for what was changed since the last one began, and for
 * some time before that, by the clock of the service. A line comes again only when its task has changed: it is told by id, run, attempts and state.
 * A time in the future moves nothing: how far back is asked follows from when this process asked.
 */
export class RecentChanges {
  /** In which poll a line was seen last. */
  readonly #seen = new Map<string, number>();
  #polls = 0;
  #askedAt: number | undefined;

  /**
   * How far back the next poll has to look, in whole seconds. It goes by the last poll that was read to its end, so an outage loses nothing.
   * @param now     monotonic milliseconds
   * @param firstMs how far back the first poll looks
   */
  lookBackS(now: number, firstMs: number): number {
    return Math.max(1, Math.ceil((this.#askedAt === undefined ? firstMs : now - this.#askedAt + OVERLAP_MS) / 1_000));
  }

  /**
   * To be called when a poll was read to its end.
   * @param askedAt when it began, monotonic milliseconds
   * @returns those that were not told before
   */
  accept<T extends Pick<TaskSummary, 'id' | 'run' | 'attempts' | 'state'>>(tasks: readonly T[], askedAt: number): T[] {
    this.#askedAt = askedAt;
    this.#polls += 1;
    const fresh = tasks.filter(({ id, run, attempts, state }) => {
      const line = JSON.stringify([id, run, attempts, state]);
      const isNew = !this.#seen.has(line);
      // It becomes the newest of the map, whose oldest are forgotten below.
      this.#seen.delete(line);
      this.#seen.set(line, this.#polls);
      return isNew;
    });
    for (const [line, poll] of this.#seen) {
      if (poll > this.#polls - REMEMBERED_POLLS) break;
      this.#seen.delete(line);
    }
    return fresh;
  }

  /** How many lines are remembered. */
  get size(): number {
    return this.#seen.size;
  }
}
