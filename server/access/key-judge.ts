import { setTimeout as wait } from 'node:timers/promises';
import type { Caller } from '../../shared/domain/access/caller.js';
import { GuessPace } from '../../shared/domain/access/guess-pace.js';
import { peerBucketOf } from '../../shared/domain/access/peer-bucket.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';
import type { RequestContext } from '../http/request-context.js';
import type { KeyFault, KeyRing, KeyVerdict } from './key-ring.js';

const reasonOfFault = { malformed: 'malformed_key', unknown: 'unknown_key', 'wrong secret': 'wrong_secret', expired: 'expired_key' } as const satisfies Readonly<Record<KeyFault, RefusalReason>>;

/**
 * Judges the keys that requests show, in whichever place. Wrong keys are answered more and more slowly (guess-pace.ts), with one count for
 * all places. A request without any key is no guess.
 */
export class KeyJudge {
  readonly #pace: GuessPace;

  /** @param wrongKeysPerSecond of one address that are answered */
  constructor(
    private readonly ring: Pick<KeyRing, 'judge'>,
    wrongKeysPerSecond: number,
  ) {
    this.#pace = new GuessPace(wrongKeysPerSecond);
  }

  /**
   * @param text `krs_<id>_<secret>`, if it is one
   * @param now  monotonic ms, for one who has just looked at the clock
   * @throws RequestError unauthenticated, rate_limited; redis_unavailable as a rejection
   */
  judge(context: RequestContext, text: string, now = performance.now()): Caller | Promise<Caller> {
    const verdict = this.ring.judge(text, now);
    return verdict instanceof Promise ? verdict.then((late) => this.#settle(context, late)) : this.#settle(context, verdict);
  }

  #settle(context: RequestContext, verdict: KeyVerdict): Caller | Promise<Caller> {
    if ('caller' in verdict) return verdict.caller;
    context.accessNote = { reason: reasonOfFault[verdict.fault], keyId: verdict.keyId };
    const waitMs = this.#pace.wrong(peerBucketOf(context.request.socket.remoteAddress), performance.now());
    if (waitMs === undefined) throw new RequestError('rate_limited', 'too many wrong keys', undefined, { notes: { reason: 'guesses', limit: 'WRONG_KEYS_PER_SECOND' } });
    if (waitMs === 0) throw unauthenticated();
    return wait(waitMs).then(() => {
      throw unauthenticated();
    });
  }
}

export function unauthenticated(): RequestError {
  return new RequestError('unauthenticated', 'this needs a valid access key: Authorization: Bearer krs_...');
}
