import { setTimeout as wait } from 'node:timers/promises';
import type { VersionMarks } from '../../shared/queue/access/version-marks.js';

/** Between the beginnings of two rounds, ms. Each asks all marks to write. */
const ROUND_EVERY_MS = 50;

/**
 * Tells the marks of versions in rounds: one at a time, twenty a second at most. Those who come meanwhile share the next one. So the cost has a limit, however
 * often somebody signs in and out.
 */
export class VersionTeller {
  #newest = 0;
  #told = 0;
  #next: Promise<boolean> | undefined;
  #round: Promise<unknown> = Promise.resolve();
  #begunAt = -Infinity;

  /** @param marks undefined: no part of Redis may be away alone. What it throws counts as untold */
  constructor(private readonly marks: () => Pick<VersionMarks, 'tell'> | undefined) {}

  /** @returns whether more than half of the marks know of it, or of a later one; it never rejects */
  async tell(version: number): Promise<boolean> {
    this.#newest = Math.max(this.#newest, version);
    if (version <= this.#told) return true;
    try {
      if (this.marks() === undefined) return true;
      this.#next ??= this.#waitForRound();
      return await this.#next;
    } catch {
      return false; // no shard is open: a process that starts or stops
    }
  }

  async #waitForRound(): Promise<boolean> {
    // It may have begun before the version was there.
    await this.#round;
    const waitMs = this.#begunAt + ROUND_EVERY_MS - performance.now();
    if (waitMs > 0) await wait(waitMs);
    this.#next = undefined;
    this.#begunAt = performance.now();
    const round = this.#tellAll(this.#newest);
    this.#round = round.catch(() => false);
    return round;
  }

  async #tellAll(version: number): Promise<boolean> {
    const isTold = (await this.marks()?.tell(String(version))) ?? true;
    if (isTold) this.#told = version;
    return isTold;
  }
}
