import type { RetryHeaders } from './retry-headers.js';

export interface SeenOptions {
  /** How many messages are remembered at most; the oldest are forgotten. Default 100,000, some 20 MB. */
  readonly max?: number;
  /** For how long a message is remembered, ms. Default 1 day, which is how long the service knows a delivered task. */
  readonly maxAgeMs?: number;
  /** Milliseconds since any fixed time. */
  readonly now?: () => number;
}

/** What tells one message from another: whatever attempt brings it, and however often. */
export type MessageName = Pick<RetryHeaders, 'taskId' | 'run' | 'edit'>;

const DEFAULT_MAX = 100_000;
const DEFAULT_MAX_AGE_MS = 86_400_000;

/**
 * Lets a receiver handle each message once: delivery is at least once, so the same message may come again. One message is
 * (id, run, edit).
 *
 * It remembers in this process alone. A receiver of several processes, or one that is started anew, has to keep the same three in
 * its database, in the transaction that handles the message.
 */
export class SeenMessages {
  /** The oldest first. */
  readonly #handledAt = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(private readonly options: SeenOptions = {}) {}

  /** How many messages are remembered. */
  get size(): number {
    return this.#handledAt.size;
  }

  /**
   * Handles a message, unless that was done before. When the same message comes while it is being handled, the second call waits
   * for the first. A message whose handling fails is not remembered, so the next attempt of the service handles it.
   * @returns true when this call has handled it
   * @throws what `handle` throws
   */
  async once(message: MessageName, handle: () => Promise<void> | void): Promise<boolean> {
    const name = nameOf(message);
    for (let first = this.#underWay.get(name); first !== undefined; first = this.#underWay.get(name)) {
      // Its failure belongs to the call that made it. This message has not been handled then, so it is handled here.
      await first.catch(() => undefined);
    }
    if (this.has(message)) return false;
    const handling = Promise.resolve().then(handle);
    this.#underWay.set(name, handling);
    try {
      await handling;
      this.#remember(name);
      return true;
    } finally {
      this.#underWay.delete(name);
    }
  }

  /** Has it been handled? */
  has(message: MessageName): boolean {
    const at = this.#handledAt.get(nameOf(message));
    return at !== undefined && this.#now() - at < (this.options.maxAgeMs ?? DEFAULT_MAX_AGE_MS);
  }

  #remember(name: string): void {
    const { max = DEFAULT_MAX, maxAgeMs = DEFAULT_MAX_AGE_MS } = this.options;
    const now = this.#now();
    this.#handledAt.delete(name);
    this.#handledAt.set(name, now);
    for (const [oldest, at] of this.#handledAt) {
      if (this.#handledAt.size <= max && now - at < maxAgeMs) break;
      this.#handledAt.delete(oldest);
    }
  }

  #now(): number {
    return (this.options.now ?? Date.now)();
  }
}

/** No two messages have the same one: run and edit are numbers. */
function nameOf({ taskId, run, edit }: MessageName): string {
  return `${run}|${edit}|${taskId}`;
}
