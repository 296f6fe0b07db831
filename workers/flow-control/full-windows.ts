/** A window grows at most so much later than it may, ms. */
const LOOK_EVERY_MS = 25;
/** A look that comes later than so long after the one before, ms, comes from a process that stood still, and heard nothing meanwhile. */
const LATE_LOOK_MS = 2 * LOOK_EVERY_MS;

/**
 * Endpoints whose window, or that of their host, is full. Nothing happens while a slow destination is silent: no send ends, and
 * what could start has been put back. So full windows are looked at by a timer, which runs only while there are some.
 *
 * Only time in which this process could hear an answer is silence. On a busy machine it may stand still for a while, and its timers run before
 * it reads its sockets. Without this rule the window of a host that had refused long ago would grow.
 */
export class FullWindows<Endpoint> {
  readonly #full = new Set<Endpoint>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #lookedAt = 0;

  /**
   * @param look    lets the windows grow if it is time. It returns false when they need not be looked at any more
   * @param wasDeaf is told, before the next look, for how many milliseconds nothing could be heard
   */
  constructor(
    private readonly look: (endpoint: Endpoint) => boolean,
    private readonly wasDeaf: (full: readonly Endpoint[], ms: number) => void,
  ) {}

  /** The process stands still, or has not looked since it did. */
  get isDeaf(): boolean {
    return this.#timer !== undefined && performance.now() - this.#lookedAt > LATE_LOOK_MS;
  }

  add(endpoint: Endpoint): void {
    if (this.#isClosed) return;
    this.#full.add(endpoint);
    if (this.#timer !== undefined) return;
    this.#lookedAt = performance.now();
    // A process that has nothing else to do may end.
    this.#timer = setInterval(() => this.#lookAtAll(), LOOK_EVERY_MS).unref();
  }

  close(): void {
    this.#isClosed = true;
    this.#full.clear();
    this.#stop();
  }

  #lookAtAll(): void {
    const at = performance.now();
    const lateMs = at - this.#lookedAt - LATE_LOOK_MS;
    this.#lookedAt = at;
    // A copy: what starts while one is looked at adds others.
    const full = [...this.#full];
    if (lateMs > 0) this.wasDeaf(full, lateMs);
    for (const endpoint of full) if (!this.look(endpoint)) this.#full.delete(endpoint);
    if (this.#full.size === 0) this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
