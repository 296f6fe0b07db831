import { setTimeout as wait } from 'node:timers/promises';

import { GuessPace } from '../../shared/domain/access/guess-pace.js';
import { peerBucketOf } from '../../shared/domain/access/peer-bucket.js';
import { refusalReasons, type RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';
import { Burst } from '../../shared/logging/burst.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { Metrics } from '../../shared/telemetry/metrics.js';
import type { Counted } from '../../shared/telemetry/series.js';

/** What the port of a worker refuses, in the codes of the API. */
const statuses = { invalid_request: 400, unauthenticated: 401, not_found: 404, method_not_allowed: 405, unknown_host: 421, rate_limited: 429 } as const;
export type PortRefusalCode = keyof typeof statuses;
const LINES_PER_SECOND = 10;

export interface PortRefusal {
  readonly code: PortRefusalCode;
  readonly reason?: RefusalReason;
  readonly remoteAddress: string | undefined;
}

/** Logs, counts and slows what the port of a worker refuses, as the API does: at most ten lines a second, and the number of the others. */
export class PortRefusals {
  readonly #counts: Readonly<Record<PortRefusalCode, Counted>>;
  readonly #pace: GuessPace;
  readonly #burst: Burst;
  #hidden = 0;

  /** @param wrongTokensPerSecond of one address that are answered at once: WRONG_KEYS_PER_SECOND */
  constructor(
    private readonly logger: Pick<Logger, 'info'>,
    metrics: Pick<Metrics, 'counter'>,
    wrongTokensPerSecond: number,
  ) {
    const counter = (code: PortRefusalCode): Counted => metrics.counter('kafka_retry_requests_refused_total', { code });
    this.#counts = { invalid_request: counter('invalid_request'), unauthenticated: counter('unauthenticated'), not_found: counter('not_found'), method_not_allowed: counter('method_not_allowed'), unknown_host: counter('unknown_host'), rate_limited: counter('rate_limited') };
    this.#pace = new GuessPace(wrongTokensPerSecond);
    this.#burst = new Burst({ spanMs: 1_000, mostLines: LINES_PER_SECOND, isQuietWhileBusy: false, summarize: () => this.#summarize() });
  }

  /** Neither the path nor a header is logged: a token may stand in them. @returns the status of the answer */
  note({ code, reason, remoteAddress }: PortRefusal): number {
    this.#counts[code].value += 1;
    const status = statuses[code];
    if (this.#burst.admits()) this.logger.info('request refused', { status, code, why: reason === undefined ? undefined : refusalReasons[reason], remote_address: remoteAddress, port: 'worker' });
    else this.#hidden += 1;
    return status;
  }

  /** A wrong token waits for its answer like a wrong key. @returns whether there are so many of this address that it is not judged at all */
  async slow(remoteAddress: string | undefined): Promise<boolean> {
    const waitMs = this.#pace.wrong(peerBucketOf(remoteAddress), performance.now());
    if (waitMs === undefined) return true;
    if (waitMs > 0) await wait(waitMs, undefined, { ref: false });
    return false;
  }

  /** Writes what is counted and not yet said. */
  flush(): void {
    this.#burst.flush();
  }

  #summarize(): void {
    const count = this.#hidden;
    this.#hidden = 0;
    this.logger.info('more requests were refused', { count, port: 'worker' });
  }
}
