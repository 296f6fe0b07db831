/** The default of HTTP_MAX_BODY_MEMORY. */
const USUAL_BYTES = 256 * 1_048_576;
/** So much of each body is always taken, however many large ones there are. Nearly all tasks are smaller. */
const ALWAYS_TAKEN_BYTES = 65_536;

/**
 * Bounds the memory for bodies that are being received or handled, for the whole process.
 *
 * A body may grow as long as at least as many bytes as it holds are free. So seven uploads of 32 MiB leave 32 MiB free,
 * and a hundred of them as well: there is always room for bodies that are smaller than the largest ones.
 */
export class BodyBudget {
  #usedBytes = 0;
  readonly #heldBy = new WeakMap<object, HeldBytes>();

  constructor(private readonly maxBytes: number) {}

  /**
   * @param largestBody bytes of the largest body that this deployment takes: one of them has to fit
   * @param bytes       of bodies that a process holds at once. They lie outside the heap of V8
   */
  static for(largestBody: number, bytes = USUAL_BYTES): BodyBudget {
    return new BodyBudget(Math.max(bytes, 2 * largestBody));
  }

  /** Bytes that are held now, without the part of each body that is always taken. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** For one request; it has to be released. */
  open(request: object): HeldBytes {
    const held = new HeldBytes((change, before) => {
      if (change > 0 && before + change > this.maxBytes - this.#usedBytes - change) return false;
      this.#usedBytes += change;
      // Only a large body comes here. To note each request would cost every submission.
      if (change > 0) this.#heldBy.set(request, held);
      return true;
    });
    return held;
  }

  /** What the body of a request takes of the budget now: 0 for a small one. */
  bytesOf(request: object): number {
    return this.#heldBy.get(request)?.chargedBytes ?? 0;
  }
}

/** The bytes of one request that are in memory. */
export class HeldBytes {
  #bytes = 0;

  /** @param charge changes the budget by what a request holds above ALWAYS_TAKEN_BYTES; false: there is no room */
  constructor(private readonly charge: (change: number, held: number) => boolean) {}

  get chargedBytes(): number {
    return chargedOf(this.#bytes);
  }

  /** @returns false when there is no room: the bytes must not be kept, and the count stays as it was */
  take(bytes: number): boolean {
    const held = chargedOf(this.#bytes);
    const change = chargedOf(this.#bytes + bytes) - held;
    if (change > 0 && !this.charge(change, held)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** @param bytes that were taken, and are in memory no longer */
  giveBack(bytes: number): void {
    const change = chargedOf(this.#bytes - bytes) - chargedOf(this.#bytes);
    this.#bytes -= bytes;
    if (change < 0) this.charge(change, 0);
  }

  /** Gives back everything. It is safe twice. */
  release(): void {
    this.giveBack(this.#bytes);
  }
}

function chargedOf(bytes: number): number {
  return Math.max(bytes - ALWAYS_TAKEN_BYTES, 0);
}
