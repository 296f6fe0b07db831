import type { Caller } from '../../shared/domain/access/caller.js';
import { missingFor } from '../../shared/domain/access/route-access.js';
import type { SessionToken } from '../../shared/domain/access/session-token.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';
import type { RequestContext } from '../http/request-context.js';
import type { RequestCheck } from '../http/request-pipeline.js';
import { unauthenticated, type KeyJudge } from './key-judge.js';
import { sessionTokenOf } from './session-cookie.js';
import type { Sessions } from './sessions.js';

const BEARER = /^Bearer +(\S+)$/i;
/** Sent by a page that asks by itself while nobody is at it: the session grows idle all the same. */
const UNATTENDED = 'x-unattended';

/**
 * Lets a request pass whose key may call its route: a key in the header Authorization, or the one that a session was started with. Missing,
 * malformed, unknown, wrong and expired keys are all answered alike, and so are sessions that have ended, and paths that there are not. A
 * refused request was looked at no further, so the answer does not depend on what is stored.
 * @param isMetricsToken whether a text is METRICS_TOKEN, which opens the routes that take it and nothing else
 * @returns a check that throws unauthenticated, forbidden, rate_limited, redis_unavailable
 */
export function createAccessCheck(keys: Pick<KeyJudge, 'judge'>, sessions: Pick<Sessions, 'judge'>, isMetricsToken: (text: string) => boolean = () => false): RequestCheck {
  return (context) => {
    const { role, takesMetricsToken } = context.match.served;
    if (role === 'none') return undefined;
    const { authorization = '' } = context.request.headers;
    const text = BEARER.exec(authorization)?.[1];
    if (text !== undefined) {
      if (takesMetricsToken === true && isMetricsToken(text)) return undefined;
      const caller = keys.judge(context, text, context.accessAskedAt);
      if (caller instanceof Promise) return caller.then((late) => admit(context, late));
      admit(context, caller);
      return undefined;
    }
    // A proxy in front may have asked the browser for a password of its own, which it then sends along (Basic).
    const token = /^Bearer\b/i.test(authorization) ? undefined : sessionTokenOf(context.request);
    if (token !== undefined) return admitSession(context, token, sessions);
    context.accessNote = { reason: 'no_key', keyId: undefined };
    throw unauthenticated();
  };
}

async function admitSession(context: RequestContext, token: SessionToken, sessions: Pick<Sessions, 'judge'>): Promise<void> {
  const verdict = await sessions.judge(token, context.request.headers[UNATTENDED] === undefined);
  if ('caller' in verdict) {
    admit(context, verdict.caller);
    return;
  }
  context.accessNote = { reason: verdict.fault, keyId: token.keyId };
  throw unauthenticated();
}

function admit(context: RequestContext, caller: Caller): void {
  context.caller = caller;
  const missing = missingFor(context.match.served, caller);
  if (missing !== undefined) throw forbidden(missing);
}

/** @param missing `the role operate`, `the permission edit` */
export function forbidden(missing: string, reason: RefusalReason = reasonOfMissing(missing)): RequestError {
  return new RequestError('forbidden', `this needs ${missing}`, undefined, { notes: { reason } });
}

function reasonOfMissing(missing: string): RefusalReason {
  if (missing.startsWith('the role')) return 'role';
  return missing.startsWith('the permission') ? 'permission' : 'bound_key';
}
