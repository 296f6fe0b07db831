import { setTimeout as wait } from 'node:timers/promises';
import type { Caller } from '../../shared/domain/access/caller.js';
import { GuessPace } from '../../shared/domain/access/guess-pace.js';
import { peerBucketOf } from '../../shared/domain/access/peer-bucket.js';
import { missingFor } from '../../shared/domain/access/route-access.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { RequestContext } from '../http/request-context.js';
import type { RequestCheck } from '../http/request-pipeline.js';
import type { KeyRing, KeyVerdict } from './key-ring.js';

const BEARER = /^Bearer +(\S+)$/i;

/**
 * Lets a request pass whose key may call its route. Missing, malformed, unknown, wrong and expired keys are all answered alike, and so
 * are paths that there are not. A refused request was looked at no further, so the answer does not depend on what is stored.
 *
 * Wrong keys are answered more and more slowly (guess-pace.ts). A request without any key is no guess.
 * @returns a check that throws unauthenticated, forbidden, rate_limited, redis_unavailable
 */
export function createAccessCheck(ring: Pick<KeyRing, 'judge'>): RequestCheck {
  const pace = new GuessPace();

  const settle = (context: RequestContext, verdict: KeyVerdict): undefined | Promise<void> => {
    if ('caller' in verdict) {
      admit(context, verdict.caller);
      return undefined;
    }
    context.accessNote = { why: `${verdict.fault} key`, keyId: verdict.keyId };
    const waitMs = pace.wrong(peerBucketOf(context.request.socket.remoteAddress), performance.now());
    if (waitMs === undefined) throw new RequestError('rate_limited', 'too many wrong keys');
    if (waitMs === 0) throw unauthenticated();
    return wait(waitMs).then(() => {
      throw unauthenticated();
    });
  };

  return (context) => {
    const { role } = context.match.served;
    if (role === 'none') return undefined;
    const text = BEARER.exec(context.request.headers.authorization ?? '')?.[1];
    if (text === undefined) {
      context.accessNote = { why: 'no key', keyId: undefined };
      throw unauthenticated();
    }
    const verdict = ring.judge(text);
    return verdict instanceof Promise ? verdict.then((late) => settle(context, late)) : settle(context, verdict);
  };
}

function admit(context: RequestContext, caller: Caller): void {
  context.caller = caller;
  const missing = missingFor(context.match.served, caller);
  if (missing !== undefined) throw forbidden(missing);
}

function unauthenticated(): RequestError {
  return new RequestError('unauthenticated', 'this needs a key that holds: Authorization: Bearer krs_...');
}

/** @param missing `the role operate`, `the permission edit` */
export function forbidden(missing: string): RequestError {
  return new RequestError('forbidden', `this needs ${missing}`);
}
