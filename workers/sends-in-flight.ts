/** Every send that is under way, so that its time limit and a shutdown can end it. */
export class SendsInFlight {
  readonly #controllers = new Set<AbortController>();

  get size(): number {
    return this.#controllers.size;
  }

  /**
   * @param limitMs     total time of the send; then its signal aborts
   * @param limitReason makes the reason; only called then, because an Error costs more than the rest of this
   */
  async run<T>(limitMs: number, limitReason: () => Error, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(limitReason()), limitMs);
    this.#controllers.add(controller);
    try {
      return await work(controller.signal);
    } finally {
      clearTimeout(timer);
      this.#controllers.delete(controller);
    }
  }

  /** Aborts all of them; new ones are not stopped. */
  abortAll(reason: Error): void {
    for (const controller of this.#controllers) controller.abort(reason);
  }
}
