import { hash, randomUUID } from 'node:crypto';
import type { SessionToken } from '../../domain/access/session-token.js';
import type { QueueClient } from '../engine/queue-client.js';
import type { AccessKeys } from '../fleet-keys.js';
import { SESSION_STATE } from './session-scripts.js';

/** So many sign-ins of a key, and as many sign-outs, stand in the audit in a minute. */
const AUDIT_TURNS = 10;

/** How long sessions last, ms, and how many of one key there may be. */
export interface SessionLimits {
  readonly idleMs: number;
  readonly lifetimeMs: number;
  readonly mostOfKey: number;
}

/** One that holds. */
export interface OpenSession {
  readonly state: 'open';
  /** Of the key that it was started with, as hex. */
  readonly secretHash: string;
  /** ms since the epoch. */
  readonly startedAt: number;
}

/** `none`: there is no such session any more. `idle`: it was not used for too long. `over`: its lifetime is over. */
export type SessionState = OpenSession | { readonly state: 'none' | 'idle' | 'over' };

/** How a session stands in Redis. */
export interface LookedUpSession {
  readonly session: SessionState;
  /** Of the sessions that have ended, as of that moment: it grows with each one. '0': none was ended yet. */
  readonly version: string;
  /** For how long it stays open if it is not used, ms; 0 of one that is not open. */
  readonly leftMs: number;
}

/** `version`: of the sessions that have ended, with this one. */
export interface EndedSession {
  readonly wasThere: boolean;
  readonly version: string;
}

/** The sessions of people at browsers, for all API processes together. Redis knows only hashes of their secrets. Every method fails when Redis fails. */
export class SessionStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: AccessKeys,
  ) {}

  /**
   * @param secretHash of the key that was shown, as hex
   * @param replaced   a session of the same key that ends with this
   * @returns the version of the sessions that have ended, if this has ended one
   */
  async start(token: SessionToken, secretHash: string, { lifetimeMs, mostOfKey }: SessionLimits, replaced: SessionToken | undefined): Promise<string | undefined> {
    const reply: unknown = await this.client.runCommand('krsSessionStart', [...this.#keysOf(token), hashOf(token), secretHash, lifetimeMs, replaced === undefined ? '' : hashOf(replaced), mostOfKey]);
    return typeof reply === 'string' && reply !== '' ? reply : undefined;
  }

  /** @param isUsed somebody uses it now, so its idle time begins anew */
  async look(token: SessionToken, { idleMs, lifetimeMs }: SessionLimits, isUsed: boolean): Promise<LookedUpSession> {
    const reply: unknown = await this.client.runCommand('krsSessionLook', [...this.#keysOf(token), hashOf(token), idleMs, lifetimeMs, isUsed ? '1' : '']);
    // The script's own answer.
    const [state, version, secretHash = '', startedAt, leftMs] = reply as [SessionState['state'], string, string?, string?, string?];
    return state === SESSION_STATE.open ? { session: { state, secretHash, startedAt: Number(startedAt) }, version, leftMs: Number(leftMs) } : { session: { state }, version, leftMs: 0 };
  }

  /** @returns whether a sign-in (or sign-out) of this key may be added to the audit: ten in a minute may */
  async takeAuditTurn(keyId: string, action: string): Promise<boolean> {
    return (await this.client.runCommand('krsTakeTurn', [this.keys.auditTurns(keyId, action), randomUUID(), AUDIT_TURNS])) === 0;
  }

  async end(token: SessionToken): Promise<EndedSession> {
    const reply: unknown = await this.client.runCommand('krsSessionEnd', [...this.#keysOf(token), hashOf(token)]);
    // The script's own answer.
    const [ended, version] = reply as [number, string];
    return { wasThere: ended === 1, version };
  }

  #keysOf({ keyId }: SessionToken): [sessions: string, version: string] {
    return [this.keys.sessions + keyId, this.keys.sessionVersion];
  }
}

function hashOf({ secret }: SessionToken): string {
  return hash('sha256', secret, 'hex');
}
