import { setTimeout as wait } from 'node:timers/promises';
import { alignedMs } from './aligned-timer.js';

/** While Redis is away a step has no end. To leave it is safe: what runs inside Redis runs as a whole, or not at all. */
const STOP_WITHIN_MS = 1_000;

/** Runs a step of background work again and again, until it is stopped. */
export class RepeatedStep {
  readonly #stop = new AbortController();
  #pausing = new AbortController();
  #running: Promise<void> | undefined;

  /** @param step resolves with the pause until the next one, ms: about that, from 200 on (aligned-timer.ts). It never rejects */
  constructor(private readonly step: (signal: AbortSignal) => Promise<number>) {}

  start(): void {
    this.#running ??= this.#loop();
  }

  /** The next step begins at once, or right behind the one that is under way. */
  wake(): void {
    this.#pausing.abort();
  }

  /** It resolves when the step under way is done, or after 1 s. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.wake();
    const waiting = new AbortController();
    await Promise.race([this.#running, pause(STOP_WITHIN_MS, waiting.signal)]);
    waiting.abort();
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const pausing = (this.#pausing = new AbortController());
      await pause(alignedMs(await this.step(signal), performance.now()), pausing.signal);
    }
  }
}

/** A pause that ends early when the signal aborts. The caller looks at the signal. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => undefined);
}
