import type { EndSignal } from '../../shared/domain/ports.js';
import { TimeLimit } from '../../shared/lifecycle/time-limit.js';
import { SendSignal } from './send-signal.js';

/** A send that is under way. */
export interface SendUnderWay {
  /** It aborts when the time of the send is over, or when all sends have to end. */
  readonly signal: EndSignal;
  /** To be called when the send has ended, whatever came of it. */
  end(): void;
}

/** Every send that is under way, so that its time limit and a shutdown can end it. */
export class SendsInFlight {
  readonly #signals = new Set<SendSignal>();

  get size(): number {
    return this.#signals.size;
  }

  /**
   * Not a function around the send: each promise more shows in the delivery rate.
   * @param limitMs     total time of the send; then its signal aborts
   * @param limitReason makes the reason; it is called only then, because most sends need no Error
   */
  begin(limitMs: number, limitReason: () => Error): SendUnderWay {
    const signal = new SendSignal();
    const limit = new TimeLimit(limitMs, () => signal.abort(limitReason()));
    this.#signals.add(signal);
    return {
      signal,
      end: () => {
        limit.callOff();
        this.#signals.delete(signal);
      },
    };
  }

  /** Aborts all sends under way. It does not stop new ones. */
  abortAll(reason: Error): void {
    for (const signal of this.#signals) signal.abort(reason);
  }
}
