import { AlignedInterval } from '../lifecycle/aligned-timer.js';
import type { RedisClient } from './redis-connection.js';
import { askMasters } from './redis-masters.js';
import { REQUEST_LIMIT_MS } from './request-limit.js';

const LOOK_EVERY_MS = 1_000;
const MARK_WITHIN_MS = 300;

/**
 * Watches how full Redis is, so that submissions stop while the workers can still record results. The memory above the
 * mark is the workers' reserve.
 */
export class MemoryGuard {
  #isAboveMark = false;
  #usedRatio: number | undefined;
  readonly #timer: AlignedInterval;

  /** @param highWater share of maxmemory, above 0, at most 1 */
  constructor(
    private readonly redis: RedisClient,
    private readonly highWater: number,
  ) {
    this.#timer = new AlignedInterval(LOOK_EVERY_MS, () => void this.#look());
    redis.on('ready', () => void this.#look());
  }

  get isAboveMark(): boolean {
    return this.#isAboveMark;
  }

  /** Share of maxmemory that is used, of the fullest master; undefined: there is no limit, or Redis has not told yet. */
  get usedRatio(): number | undefined {
    return this.#usedRatio;
  }

  close(): void {
    this.#timer.stop();
  }

  async #look(): Promise<void> {
    try {
      const share = await readUsedShare(this.redis, REQUEST_LIMIT_MS);
      this.#isAboveMark = share > this.highWater;
      this.#usedRatio = share > 0 ? share : undefined;
    } catch {
      // All of Redis is away: submissions fail by themselves, and the last known mark is the best guess for its return.
    }
  }
}

/**
 * Asks now and then whether Redis has used up its memory for new tasks. While it does not answer, the last answer
 * counts; of a cluster those nodes count that answer.
 */
export function memoryMark(redis: RedisClient, highWater: number): () => Promise<boolean> {
  let isAboveMark = false;
  return async () => {
    try {
      isAboveMark = (await readUsedShare(redis, MARK_WITHIN_MS)) > highWater;
    } catch {
      // Redis is away: the caller's own commands fail by themselves.
    }
    return isAboveMark;
  };
}

/**
 * Asks Redis how full the fullest of its masters that answer is: what one of a cluster said before it went away must neither hold up the
 * others nor hide that they fill up.
 * @param limitMs for the answer of each
 * @returns share of maxmemory; 0 where there is no limit
 * @throws when none answers
 */
export async function readUsedShare(redis: RedisClient, limitMs: number): Promise<number> {
  const answers = await askMasters(redis, limitMs, (node) => node.info('memory'));
  return Math.max(...answers.map(shareOfMemory));
}

/** @returns used_memory / maxmemory of an INFO memory answer; 0 where there is no limit */
export function shareOfMemory(info: string): number {
  const read = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  const limit = read('maxmemory');
  return limit === 0 ? 0 : read('used_memory') / limit;
}
