import { RequestError } from '../../shared/domain/errors.js';
import type { Shown } from '../flow/last-flow.js';
import { withoutPart } from '../flow/or-away.js';

/** Callers may ask for any span: so many answers are kept. */
const MOST_SPANS = 8;

/**
 * What was counted lately, as it is, or as this process read it last. On a cluster all of it stands in one slot, whose node may be away alone.
 * Of each span that was asked for the last answer is kept.
 */
export class LastRead<T> {
  /** By the span, ms; the one that was read last is the last. */
  readonly #kept = new Map<number, Required<Shown<T>>>();

  /**
   * @param read  asks Redis for a span, ms
   * @param atOf  when it was read, ms since the epoch
   * @param what  it is, such as `the counts of failed sends`
   */
  constructor(
    private readonly read: (spanMs: number) => Promise<T>,
    private readonly atOf: (value: T) => number,
    private readonly what: string,
  ) {}

  /**
   * @param isRestThere whether other parts of Redis answer. When none does, there is nothing to show beside what is missing
   * @returns where it cannot be read, what was read last of this span, else of another one; undefined: nothing was read yet
   * @throws RequestError redis_unavailable, redis_refused when the rest is not there
   */
  async ofSpan(spanMs: number, isRestThere: () => boolean): Promise<Shown<T> | undefined> {
    try {
      const value = await this.read(spanMs);
      this.#keep(spanMs, value);
      return { value, knownAt: undefined };
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (!isRestThere()) throw withoutPart(error, this.what);
      return this.#kept.get(spanMs) ?? [...this.#kept.values()].at(-1);
    }
  }

  #keep(spanMs: number, value: T): void {
    this.#kept.delete(spanMs);
    this.#kept.set(spanMs, { value, knownAt: this.atOf(value) });
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size > MOST_SPANS) this.#kept.delete(oldest);
  }
}
