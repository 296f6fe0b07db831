import { hash, randomBytes } from 'node:crypto';
import type { ApiKey } from '../../shared/domain/access/api-key.js';
import type { Caller } from '../../shared/domain/access/caller.js';
import type { SessionToken } from '../../shared/domain/access/session-token.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';
import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { SessionLimits, SessionState } from '../../shared/queue/access/session-store.js';
import type { FleetStores } from '../../shared/queue/tasks/fleet-stores.js';
import { orSayMissing } from '../flow/or-away.js';
import { MARKS_AFTER_MS, type KeyFault, type KeyRing } from './key-ring.js';
import { SessionMemory } from './session-memory.js';
import { VersionTeller } from './version-teller.js';

const SECRET_BYTES = 32;

/** Why a session does not hold. The log says it, and the page on which a person signs in. */
export type SessionFault = Extract<RefusalReason, 'unknown_session' | 'idle_session' | 'old_session' | 'revoked_key' | 'replaced_key' | 'expired_key'>;

const faultOfState = { none: 'unknown_session', idle: 'idle_session', over: 'old_session' } as const satisfies Record<Exclude<SessionState['state'], 'open'>, SessionFault>;

const faultOfKey = { malformed: 'revoked_key', unknown: 'revoked_key', 'wrong secret': 'replaced_key', expired: 'expired_key' } as const satisfies Record<KeyFault, SessionFault>;

export type SessionVerdict = { readonly caller: Caller } | { readonly fault: SessionFault };

export interface SessionsOptions {
  readonly fleet: Pick<FleetStores, 'withSessions' | 'sessionMarks'>;
  readonly ring: Pick<KeyRing, 'judgeHashed'>;
  readonly limits: SessionLimits;
  /** It is told when less than half of the marks could be told of a session that this process has ended. */
  readonly onUntold?: () => void;
}

/** The master of the sessions has not answered in time. */
class LateLook extends Error {}

/**
 * Sessions of people who have signed in with an access key. Redis is asked for each request: sessions are few, and one that was ended
 * anywhere has ended everywhere. A session may do what its key may, and ends with it (docs/decisions/0021-sessions-in-redis.md).
 *
 * On a cluster their master may be away alone. Then a session holds that this process has looked up before, if more than half of the marks were told of
 * none that has ended since (version-marks.ts, docs/decisions/0029-sessions-while-their-master-is-away.md).
 */
export class Sessions {
  readonly #memory = new SessionMemory();
  readonly #teller: VersionTeller;

  constructor(private readonly options: SessionsOptions) {
    this.#teller = new VersionTeller(() => options.fleet.sessionMarks());
  }

  /**
   * Its secret is new, whatever the browser has sent: nobody can choose it for another person.
   * @param replaced the session that the browser had, which ends
   * @throws RequestError redis_unavailable, redis_refused
   */
  async start({ id: keyId, secret }: ApiKey, replaced: SessionToken | undefined): Promise<SessionToken> {
    const token: SessionToken = { keyId, secret: randomBytes(SECRET_BYTES).toString('hex') };
    const isOfSameKey = replaced?.keyId === keyId;
    const version = await this.options.fleet.withSessions((store) => store.start(token, hash('sha256', secret, 'hex'), this.options.limits, isOfSameKey ? replaced : undefined));
    if (version !== undefined) await this.#tell(version);
    if (replaced !== undefined && !isOfSameKey) await this.end(replaced);
    return token;
  }

  /**
   * @param isUsed somebody uses it now, so its idle time begins anew
   * @throws RequestError redis_unavailable
   */
  async judge(token: SessionToken, isUsed: boolean): Promise<SessionVerdict> {
    const { ring, limits } = this.options;
    const session = await orSayMissing('which sessions hold', this.#stateOf(token, isUsed), '/readyz');
    if (session.state !== 'open') return { fault: faultOfState[session.state] };
    const verdict = await ring.judgeHashed({ id: token.keyId, secretHash: Buffer.from(session.secretHash, 'hex') });
    if ('fault' in verdict) return { fault: faultOfKey[verdict.fault] };
    const { caller } = verdict;
    const lastsUntil = session.startedAt + limits.lifetimeMs;
    return { caller: { ...caller, type: 'session', endsAt: Math.min(lastsUntil, caller.endsAt ?? lastsUntil) } };
  }

  /**
   * When it resolves, the session has ended in every process.
   * @returns whether it was there
   * @throws RequestError redis_unavailable
   */
  async end(token: SessionToken): Promise<boolean> {
    try {
      const { wasThere, version } = await this.options.fleet.withSessions((store) => store.end(token));
      // Also where it was not there: the process that has ended it may have stopped before the marks knew.
      await this.#tell(version);
      return wasThere;
    } finally {
      this.#memory.forget(token);
    }
  }

  /** The key ring has heard of it, in one of its looks at the keys. @param version of the sessions that have ended */
  readonly heard = (version: string): void => {
    this.#memory.heard(Number(version));
    // The process that has ended one may have stopped before, or too many marks were away then.
    void this.#teller.tell(Number(version));
  };

  async #tell(version: string): Promise<void> {
    this.#memory.heard(Number(version));
    if (!(await this.#teller.tell(Number(version)))) this.options.onUntold?.();
  }

  /** An answer that comes after the marks have said that no session has ended is remembered all the same. */
  async #stateOf(token: SessionToken, isUsed: boolean): Promise<SessionState> {
    const askedAt = performance.now();
    const looked = this.options.fleet.withSessions((store) => store.look(token, this.options.limits, isUsed)).then((found) => {
      this.#memory.note(token, found, askedAt);
      return found.session;
    });
    try {
      return await Promise.any([looked, this.#remembered(token, looked)]);
    } catch {
      // Both have failed. Why the session cannot be looked up says more than that it is not known.
      return await looked;
    }
  }

  /**
   * What this process remembers, where the look fails or is late.
   *
   * The marks are asked after the request has come. So one that was signed out before is refused, however long ago it was looked up.
   * @throws Error, as a rejection, unless it is known that the session is still open
   */
  async #remembered(token: SessionToken, looked: Promise<SessionState>): Promise<SessionState> {
    try {
      return await withinLimit(looked, MARKS_AFTER_MS, () => new LateLook());
    } catch (error) {
      if (!(error instanceof RequestError || error instanceof LateLook)) throw error;
    }
    const before = this.#memory.find(token, performance.now());
    const isNewest = before !== undefined && (await this.options.fleet.sessionMarks()?.isNewest(String(before.version))) === true;
    // The master may have told of a later version meanwhile.
    const after = this.#memory.find(token, performance.now());
    if (!isNewest || after?.version !== before.version) throw new Error('it is not known whether the session is open');
    return after.session;
  }
}
