import { RequestError } from '../../domain/errors.js';

/** JSON of a task that is longer is read when its turn has come. */
export const LARGE_TASK_BYTES = 131_072;
/** Time limit for the turn to come. */
export const TURN_WITHIN_MS = 5_000;

/**
 * Turns for reading large tasks, one at a time. All requests share a connection to Redis: behind fifty tasks of 6 MiB,
 * the answers to everything else came later than its time limit. And to decode and print each of them takes 30 ms.
 */
export class LargeReads {
  #isReading = false;
  readonly #waiting = new Set<() => void>();

  constructor(private readonly turnWithinMs = TURN_WITHIN_MS) {}

  /** @throws RequestError overloaded, when the turn does not come in time */
  async take<T>(read: () => Promise<T>): Promise<T> {
    if (this.#isReading) await this.#turn();
    this.#isReading = true;
    try {
      return await read();
    } finally {
      // The answer is made in this turn of the event loop, and the next one shall be made in another.
      setImmediate(this.#goOn);
    }
  }

  readonly #goOn = (): void => {
    const [next] = this.#waiting;
    if (next === undefined) this.#isReading = false;
    else next();
  };

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const come = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(come);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(come);
        reject(new RequestError('overloaded', 'too many large tasks are being read now', undefined, { notes: { limit: 'wait to read a large task' } }));
      }, this.turnWithinMs);
      this.#waiting.add(come);
    });
  }
}
