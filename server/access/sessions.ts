import { hash, randomBytes } from 'node:crypto';
import type { ApiKey } from '../../shared/domain/access/api-key.js';
import type { Caller } from '../../shared/domain/access/caller.js';
import type { SessionToken } from '../../shared/domain/access/session-token.js';
import type { RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';
import type { LookedUpSession, SessionLimits } from '../../shared/queue/access/session-store.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { orSayMissing } from '../flow/or-away.js';
import type { KeyFault, KeyRing } from './key-ring.js';

const SECRET_BYTES = 32;

/** Why a session does not hold. The log says it, and the page on which a person signs in. */
export type SessionFault = Extract<RefusalReason, 'unknown_session' | 'idle_session' | 'old_session' | 'revoked_key' | 'replaced_key' | 'expired_key'>;

const faultOfState = { none: 'unknown_session', idle: 'idle_session', over: 'old_session' } as const satisfies Record<Exclude<LookedUpSession['state'], 'open'>, SessionFault>;

const faultOfKey = { malformed: 'revoked_key', unknown: 'revoked_key', 'wrong secret': 'replaced_key', expired: 'expired_key' } as const satisfies Record<KeyFault, SessionFault>;

export type SessionVerdict = { readonly caller: Caller } | { readonly fault: SessionFault };

export interface SessionsOptions {
  readonly queue: Pick<TaskQueue, 'withSessions'>;
  readonly ring: Pick<KeyRing, 'judgeHashed'>;
  readonly limits: SessionLimits;
}

/**
 * Sessions of people who have signed in with an access key. Redis is asked for each request: sessions are few, and one that was ended
 * anywhere has ended everywhere. A session may do what its key may, and ends with it (docs/decisions/0021-sessions-in-redis.md).
 */
export class Sessions {
  constructor(private readonly options: SessionsOptions) {}

  /**
   * Its secret is new, whatever the browser has sent: nobody can choose it for another person.
   * @param replaced the session that the browser had, which ends
   * @throws RequestError redis_unavailable, redis_refused
   */
  async start({ id: keyId, secret }: ApiKey, replaced: SessionToken | undefined): Promise<SessionToken> {
    const token: SessionToken = { keyId, secret: randomBytes(SECRET_BYTES).toString('hex') };
    const isOfSameKey = replaced?.keyId === keyId;
    await this.options.queue.withSessions((store) => store.start(token, hash('sha256', secret, 'hex'), this.options.limits, isOfSameKey ? replaced : undefined));
    if (replaced !== undefined && !isOfSameKey) await this.end(replaced);
    return token;
  }

  /**
   * @param isUsed somebody uses it now, so its idle time begins anew
   * @throws RequestError redis_unavailable
   */
  async judge(token: SessionToken, isUsed: boolean): Promise<SessionVerdict> {
    const { queue, ring, limits } = this.options;
    const session = await orSayMissing('which sessions hold', queue.withSessions((store) => store.look(token, limits, isUsed)), '/readyz');
    if (session.state !== 'open') return { fault: faultOfState[session.state] };
    const verdict = await ring.judgeHashed({ id: token.keyId, secretHash: Buffer.from(session.secretHash, 'hex') });
    if ('fault' in verdict) return { fault: faultOfKey[verdict.fault] };
    const { caller } = verdict;
    const lastsUntil = session.startedAt + limits.lifetimeMs;
    return { caller: { ...caller, type: 'session', endsAt: Math.min(lastsUntil, caller.endsAt ?? lastsUntil) } };
  }

  /** @returns whether it was there. @throws RequestError redis_unavailable */
  async end(token: SessionToken): Promise<boolean> {
    return this.options.queue.withSessions((store) => store.end(token));
  }
}
