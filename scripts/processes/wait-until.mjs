import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks again and again until the answer is yes.
 *
 * @template T
 * @param {() => T | Promise<T>} ask anything truthy ends the wait; what it throws ends it too
 * @param {{withinMs: number, everyMs?: number, signal?: AbortSignal}} limits everyMs 50 when left out
 * @returns {Promise<T | null>} the answer, or null when the time is over
 * @throws the signal's reason when it aborts
 */
export async function waitUntil(ask, { withinMs, everyMs = 50, signal }) {
  const deadline = performance.now() + withinMs;
  for (;;) {
    signal?.throwIfAborted();
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() >= deadline) return null;
    // The timer's own AbortError hides the reason; throwIfAborted above gives it.
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
