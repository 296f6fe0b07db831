import type { EndSignal } from '../../shared/domain/ports.js';

type Listener = (() => void) | { handleEvent(): void };

/** A light AbortController and AbortSignal for one send. */
export class SendSignal implements EndSignal {
  aborted = false;
  reason: unknown;
  /** Nearly always there is one, and it needs no list. */
  #listener: Listener | undefined;
  #more: readonly Listener[] = [];

  addEventListener(_type: 'abort', listener: Listener): void {
    if (this.#listener === undefined) this.#listener = listener;
    else this.#more = [...this.#more, listener];
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    if (this.#listener === listener) this.#listener = undefined;
    else this.#more = this.#more.filter((one) => one !== listener);
  }

  /** Aborts once; later calls are ignored. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listener === undefined ? this.#more : [this.#listener, ...this.#more];
    this.#listener = undefined;
    this.#more = [];
    for (const listener of listeners) {
      if (typeof listener === 'function') listener();
      else listener.handleEvent();
    }
  }
}
