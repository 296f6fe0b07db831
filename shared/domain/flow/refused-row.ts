import type { DeliveryErrorCode } from '../errors.js';

/** `limit`: the receiver says that it gets too much, 429. `maybe_limit`: 503, which one that is down says as well. */
export type Refusal = 'limit' | 'maybe_limit';

export function refusalOf(code: DeliveryErrorCode, httpStatus: number | undefined): Refusal | undefined {
  if (code !== 'http_busy') return undefined;
  return httpStatus === 429 ? 'limit' : 'maybe_limit';
}

/** A limit by the second refuses for less than that at a stretch, ms. */
const LONGEST_STRETCH_MS = 1_000;
/** One that is back so soon behind the row that opened its circuit was not down: the first two probes are sent 2 and 6 s behind it. */
const BACK_WITHIN_MS = 10_000;
const REMEMBERED_MS = 60_000;

/**
 * A receiver that takes so many sends a second refuses the rest in a row, as one that is down does. To open the circuit would cost it the
 * next seconds as well, again and again: it got half of what it takes. So a row of refusals says nothing for a second, of a receiver that was well before
 * and says 429, or that has shown that its 503 are such a limit. Meanwhile its rate is lowered: see adaptive-rate.ts.
 *
 * Times are milliseconds of any one clock.
 */
export class RefusedRow {
  #since: number | undefined;
  #openedAt = -Infinity;
  #limitsUntil = -Infinity;

  /** @returns whether the row, this refusal included, says nothing yet */
  refused(refusal: Refusal, at: number): boolean {
    this.#since ??= at;
    return (refusal === 'limit' || at < this.#limitsUntil) && at - this.#since < LONGEST_STRETCH_MS;
  }

  /** A failure of the row, this one or another, opens the circuit. */
  opened(at: number): void {
    if (this.#since !== undefined) this.#openedAt = at;
  }

  answered(at: number): void {
    if (this.#since === undefined) return;
    this.#since = undefined;
    if (at - this.#openedAt < BACK_WITHIN_MS || at < this.#limitsUntil) this.#limitsUntil = at + REMEMBERED_MS;
  }
}
