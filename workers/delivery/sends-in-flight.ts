import type { EndSignal } from '../../shared/domain/ports.js';
import { TimeLimit } from '../../shared/lifecycle/time-limit.js';
import { SendSignal } from './send-signal.js';

/** Every send that is under way, so that its time limit and a shutdown can end it. */
export class SendsInFlight {
  readonly #signals = new Set<SendSignal>();

  get size(): number {
    return this.#signals.size;
  }

  /**
   * @param limitMs     total time of the send; then its signal aborts
   * @param limitReason makes the reason; it is called only then, because most sends need no Error
   */
  async run<T>(limitMs: number, limitReason: () => Error, work: (signal: EndSignal) => Promise<T>): Promise<T> {
    const signal = new SendSignal();
    const limit = new TimeLimit(limitMs, () => signal.abort(limitReason()));
    this.#signals.add(signal);
    try {
      return await work(signal);
    } finally {
      limit.callOff();
      this.#signals.delete(signal);
    }
  }

  /** Aborts all sends under way. It does not stop new ones. */
  abortAll(reason: Error): void {
    for (const signal of this.#signals) signal.abort(reason);
  }
}
