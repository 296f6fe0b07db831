import { RedisQueueBackend } from 'bullmq';

type LoopCall = 'waitForJob' | 'moveToActive';

/**
 * The fault that a failover has shown: a call of a worker's loop never settles, though Redis answers. It is put into
 * BullMQ itself, below everything of ours.
 */
export class HangingLoop {
  readonly #original: RedisQueueBackend[LoopCall];
  #isHanging = false;
  #hung = 0;

  constructor(private readonly call: LoopCall) {
    // It is called on the object that it was taken from.
    // eslint-disable-next-line @typescript-eslint/unbound-method
    const original = (this.#original = RedisQueueBackend.prototype[call]);
    const isHanging = (): boolean => this.#isHanging;
    const count = (): number => (this.#hung += 1);
    RedisQueueBackend.prototype[call] = function (this: RedisQueueBackend, ...args: unknown[]): Promise<never> {
      // The start of a worker looks for these calls in the text of the method.
      const calls = ['this.queue.blockingClient', 'this.reconnectBlocking()', 'this.execCommand('];
      if (isHanging() && count() > 0) return new Promise(() => calls);
      // The arguments of the one that was replaced.
      return (original as (...all: unknown[]) => Promise<never>).apply(this, args);
    };
  }

  /** From now on the calls that begin never settle. */
  begin(): void {
    this.#hung = 0;
    this.#isHanging = true;
  }

  /** Calls that begin from now on are answered. Those that hang go on hanging. */
  end(): void {
    this.#isHanging = false;
  }

  /** How many calls hang. */
  get hung(): number {
    return this.#hung;
  }

  /** BullMQ is as it was. */
  restore(): void {
    Object.assign(RedisQueueBackend.prototype, { [this.call]: this.#original });
  }
}
