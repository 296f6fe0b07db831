/** A window grows at most so much later than it may, ms. */
const LOOK_EVERY_MS = 25;

/**
 * Endpoints whose window, or that of their host, is full. Nothing happens while a slow destination is silent: no send ends, and
 * what could start has been put back. So full windows are looked at by a timer, which runs only while there are some.
 */
export class FullWindows<Endpoint> {
  readonly #full = new Set<Endpoint>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param look lets the windows grow if it is time. @returns false: it need not be looked at any more */
  constructor(private readonly look: (endpoint: Endpoint) => boolean) {}

  add(endpoint: Endpoint): void {
    if (this.#isClosed) return;
    this.#full.add(endpoint);
    // A process that has nothing else to do may end.
    this.#timer ??= setInterval(() => this.#lookAtAll(), LOOK_EVERY_MS).unref();
  }

  close(): void {
    this.#isClosed = true;
    this.#full.clear();
    this.#stop();
  }

  #lookAtAll(): void {
    // A copy: what starts while one is looked at adds others.
    for (const endpoint of [...this.#full]) if (!this.look(endpoint)) this.#full.delete(endpoint);
    if (this.#full.size === 0) this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
