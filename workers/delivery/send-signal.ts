import type { EndSignal } from '../../shared/domain/ports.js';

type Listener = (() => void) | { handleEvent(): void };

/** A light AbortController and AbortSignal for one send. */
export class SendSignal implements EndSignal {
  aborted = false;
  reason: unknown;
  /** It nearly always has one element. */
  #listeners: readonly Listener[] = [];

  addEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners = [...this.#listeners, listener];
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners = this.#listeners.filter((one) => one !== listener);
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
