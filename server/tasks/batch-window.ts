/** The size of two MULTIs of submissions: Redis runs one while the next is being prepared. */
const MAX_TASKS = 400;
const MAX_BYTES = 4 * 1_048_576;

/** Limits how much of one batch is under way at once. While it is full, nothing more is read from the client. */
export class BatchWindow {
  #tasks = 0;
  #bytes = 0;
  #onRoom: (() => void) | undefined;
  #onEmpty: (() => void) | undefined;

  /** A single task is let in whatever its size. */
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
