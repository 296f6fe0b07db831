/** CPU time that a Redis server has used since its start, before and behind a step of a search, us. -1: it did not say. */
export interface StepCpu {
  /** Steps with the same text are of the same server. */
  readonly server: string;
  readonly beforeUs: number;
  readonly afterUs: number;
}

/** The share of Redis' time that searches may take while it does hardly anything else. */
const SHARE_IDLE = 0.65;
/** The same while others use it. */
const SHARE_BUSY = 0.05;
/** Others use Redis when they take more than this share of its time: more than processes that have nothing to do. */
const OTHERS_BUSY = 0.08;
/** A search that took no time lately may take so much at once, ms of Redis: a page is looked for while a person waits. */
const CREDIT_MS = 30;
/** What others took is looked at over so much time, ms: a few commands beside one short step say nothing. */
const OTHERS_WINDOW_MS = 50;

/**
 * How long Redis is left alone after a step of a search. What others take of Redis is read off its CPU time: what it has used since the
 * step before, less the steps themselves.
 */
export class ScanPace {
  readonly #servers = new Map<string, ServerLoad>();
  #credit = CREDIT_MS;
  #creditAt: number | undefined;

  /**
   * @param startedAt when the step began, ms by any clock that goes on
   * @param tookMs    how long the answer took
   * @returns ms
   */
  pauseAfter({ server, beforeUs, afterUs }: StepCpu, startedAt: number, tookMs: number): number {
    const isKnown = beforeUs >= 0 && afterUs >= beforeUs;
    const usedMs = isKnown ? (afterUs - beforeUs) / 1_000 : tookMs;
    const share = isKnown && this.#loadOf(server).othersShare(startedAt, beforeUs, afterUs) < OTHERS_BUSY ? SHARE_IDLE : SHARE_BUSY;
    const now = startedAt + tookMs;
    const sinceMs = now - (this.#creditAt ?? now);
    this.#creditAt = now;
    this.#credit = Math.min(CREDIT_MS, this.#credit + sinceMs * share) - usedMs;
    // Also where there is credit: two steps without a pause would be one long one.
    return Math.max(usedMs * Math.min(1, (1 - share) / share), -this.#credit / share);
  }

  #loadOf(server: string): ServerLoad {
    const known = this.#servers.get(server);
    if (known !== undefined) return known;
    const load = new ServerLoad();
    this.#servers.set(server, load);
    return load;
  }
}

class ServerLoad {
  #from: { readonly at: number; readonly us: number } | undefined;
  #ownUs = 0;
  #share = 0;

  /** @returns 0..1, the newest that is known */
  othersShare(at: number, beforeUs: number, afterUs: number): number {
    // After a failover another server counts from its own start.
    if (this.#from === undefined || beforeUs < this.#from.us) {
      this.#from = { at, us: beforeUs };
      this.#ownUs = 0;
    }
    const elapsedUs = (at - this.#from.at) * 1_000;
    if (elapsedUs >= OTHERS_WINDOW_MS * 1_000) {
      this.#share = Math.max(0, (beforeUs - this.#from.us - this.#ownUs) / elapsedUs);
      this.#from = { at, us: beforeUs };
      this.#ownUs = 0;
    }
    this.#ownUs += afterUs - beforeUs;
    return this.#share;
  }
}
