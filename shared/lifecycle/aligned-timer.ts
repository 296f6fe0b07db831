/**
 * Timers that fire at multiples of their time on the monotonic clock, so that those of one process fire together. A worker that is idle
 * has some twenty of them: each by itself woke the process, and then Redis with one question, a hundred times a second.
 */

/** Shorter pauses are between two steps of work, and say how long others have their turn. */
const ALIGNED_FROM_MS = 200;

/**
 * How long to wait until the next multiple of `everyMs`.
 * @param now monotonic milliseconds
 * @returns whole milliseconds, from half of `everyMs` to one and a half; `everyMs` itself for one below 200
 */
export function alignedMs(everyMs: number, now: number): number {
  if (everyMs < ALIGNED_FROM_MS) return everyMs;
  const left = everyMs - (now % everyMs);
  return Math.ceil(left < everyMs / 2 ? left + everyMs : left);
}

/** Calls again and again until it is stopped. It keeps no process alive. */
export class AlignedInterval {
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(
    private readonly everyMs: number,
    private readonly call: () => void,
  ) {
    this.#wait();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      if (this.#isStopped) return;
      this.#wait();
      this.call();
    }, alignedMs(this.everyMs, performance.now())).unref();
  }
}
