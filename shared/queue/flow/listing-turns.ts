import { classifyRedisError, redisErrorCode } from '../../redis/redis-error.js';

/** How often connections are listed, ms. */
const LIST_EVERY_MS = 1_000;
/** The same where Redis does not let us: a right may be given later. */
const LIST_AGAIN_MS = 60_000;

/** When the connections of Redis are listed next, and whether it has to be told that it does not show them. Times are monotonic ms. */
export class ListingTurns {
  #dueAt = -Infinity;
  #isHidden = false;

  isDue(now: number): boolean {
    return now >= this.#dueAt;
  }

  begin(now: number): void {
    this.#dueAt = now + LIST_EVERY_MS;
  }

  succeeded(): void {
    this.#isHidden = false;
  }

  /** A list that has failed because a part of Redis is away comes a second later. @returns whether Redis hides them, and has not done so before */
  failed(error: unknown, now: number): boolean {
    if (!isHiding(error)) return false;
    this.#dueAt = now + LIST_AGAIN_MS;
    const isNew = !this.#isHidden;
    this.#isHidden = true;
    return isNew;
  }
}

/** Redis has answered, and does not list them: the command is unknown there, as on some managed servers, or not allowed. */
function isHiding(error: unknown): boolean {
  return redisErrorCode(error) !== undefined && ['refused', 'bug'].includes(classifyRedisError(error));
}
