import type { EndSignal } from '../../shared/domain/ports.js';

type Listener = (() => void) | { handleEvent(): void };

/** What an AbortController with its signal is, for one send: without what makes that one of the dearest things about it. */
export class SendSignal implements EndSignal {
  aborted = false;
  reason: unknown;
  /** Nearly always one. */
  #listeners: readonly Listener[] = [];

  addEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners = [...this.#listeners, listener];
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners = this.#listeners.filter((one) => one !== listener);
  }

  /** Once; what comes later is ignored. */
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
