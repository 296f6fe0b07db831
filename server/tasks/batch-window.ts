/** Two MULTIs of submissions: one that Redis works at, and one that is being made ready. */
const MAX_TASKS = 400;
const MAX_BYTES = 4 * 1_048_576;

/** How much of one batch is under way at once. While it is full, the rest waits in the client's hands. */
export class BatchWindow {
  #tasks = 0;
  #bytes = 0;
  #onRoom: (() => void) | undefined;
  #onEmpty: (() => void) | undefined;

  /** One task is let in however large it is. */
  get hasRoom(): boolean {
    return this.#tasks === 0 || (this.#tasks < MAX_TASKS && this.#bytes < MAX_BYTES);
  }

  whenRoom(): Promise<void> {
    return new Promise((resolve) => (this.#onRoom = resolve));
  }

  whenEmpty(): Promise<void> {
    return this.#tasks === 0 ? Promise.resolve() : new Promise((resolve) => (this.#onEmpty = resolve));
  }

  enter(bytes: number): void {
    this.#tasks += 1;
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#tasks -= 1;
    this.#bytes -= bytes;
    if (this.hasRoom) this.#onRoom?.();
    if (this.#tasks === 0) this.#onEmpty?.();
  }
}
