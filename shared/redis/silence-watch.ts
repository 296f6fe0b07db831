import { AlignedInterval } from '../lifecycle/aligned-timer.js';
import type { RedisClient } from './redis-connection.js';
import { answersWrites } from './write-answer.js';

const ASK_EVERY_MS = 1_000;
/** Redis counts as silent when a question has had no answer for this long, ms. */
export const SILENT_AFTER_MS = 3_000;

/**
 * Watches whether Redis answers at all. A Redis that is frozen keeps its connections, and takes new ones: nothing fails,
 * so nothing would be logged until a connection of a worker is given up after 15 s. A question that is asked before the
 * connection is ready waits for it, so this also holds for a process that starts.
 *
 * It is for the profile of workers. A command of the API fails by itself within a second.
 *
 * @param onSilent may be called again and again while Redis is silent
 * @param onAnswer called for each answer
 */
export function watchSilence(redis: RedisClient, onSilent: () => void, onAnswer: () => void): void {
  let askedAt: number | undefined;
  const ask = (): void => {
    askedAt = performance.now();
    void answersWrites(redis).then((isAnswered) => {
      askedAt = undefined;
      // Its owner hears of a failed connection, and of what is refused.
      if (isAnswered) onAnswer();
    });
  };
  const look = (): void => {
    if (askedAt === undefined) ask();
    else if (performance.now() - askedAt >= SILENT_AFTER_MS) onSilent();
  };
  ask();
  // After a long turn of ours the answer is in the socket, and sockets are read between the timer and the immediate.
  const timer = new AlignedInterval(ASK_EVERY_MS, () => void setImmediate(look));
  redis.once('end', () => timer.stop());
}
