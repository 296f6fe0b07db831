import { AlignedInterval } from '../lifecycle/aligned-timer.js';
import type { RedisClient } from './redis-connection.js';

const BEAT_MS = 1_000;

/** Asks Redis for a sign of life each second, and tells how long that took: it goes the same way as all commands of the connection. */
export class RedisPulse {
  #isAsking = false;
  readonly #timer: AlignedInterval;

  /** @param onAnswer is told the time to the answer, ms; also that of one that failed */
  constructor(
    private readonly redis: RedisClient,
    private readonly onAnswer: (ms: number) => void,
  ) {
    this.#timer = new AlignedInterval(BEAT_MS, () => void this.#beat());
  }

  stop(): void {
    this.#timer.stop();
  }

  async #beat(): Promise<void> {
    // Without a connection, that a question waits for one says nothing about Redis' speed.
    if (this.#isAsking || this.redis.status !== 'ready') return;
    this.#isAsking = true;
    const askedAt = performance.now();
    // Why it has failed is in the log: see redis-watch.ts.
    await this.redis.ping().catch(() => undefined);
    this.#isAsking = false;
    this.onAnswer(performance.now() - askedAt);
  }
}
