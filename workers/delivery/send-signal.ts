import type { EndSignal } from '../../shared/domain/ports.js';

type Listener = (() => void) | { handleEvent(): void };

/** A light AbortController and AbortSignal for one send. */
export class SendSignal implements EndSignal {
  aborted = false;
  reason: unknown;
  /** Nearly always there is one at most. */
  #listeners: Listener[] = [];

  addEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    const at = this.#listeners.lastIndexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  /** Aborts once; later calls are ignored. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) {
      if (typeof listener === 'function') listener();
      else listener.handleEvent();
    }
  }
}
