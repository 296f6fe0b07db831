import { hash, randomUUID } from 'node:crypto';
import type { SessionToken } from '../../domain/access/session-token.js';
import type { QueueClient } from '../engine/queue-client.js';
import type { AccessKeys } from '../names.js';
import { SESSION_STATE } from './session-scripts.js';

/** So many sign-ins of a key, and as many sign-outs, stand in the audit in a minute. */
const AUDIT_TURNS = 10;

/** How long sessions last, ms, and how many of one key there may be. */
export interface SessionLimits {
  readonly idleMs: number;
  readonly lifetimeMs: number;
  readonly mostOfKey: number;
}

/** `none`: there is no such session any more. `idle`: it was not used for too long. `over`: its lifetime is over. */
export type LookedUpSession =
  | { readonly state: 'none' | 'idle' | 'over' }
  /** `secretHash`: of the key that it was started with, as hex. `startedAt`: ms since the epoch. */
  | { readonly state: 'open'; readonly secretHash: string; readonly startedAt: number };

/** The sessions of people at browsers, for all API processes together. Redis knows only hashes of their secrets. Every method fails when Redis fails. */
export class SessionStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: AccessKeys,
  ) {}

  /**
   * @param secretHash of the key that was shown, as hex
   * @param replaced   a session of the same key that ends with this
   */
  async start(token: SessionToken, secretHash: string, { lifetimeMs, mostOfKey }: SessionLimits, replaced: SessionToken | undefined): Promise<void> {
    await this.client.runCommand('krsSessionStart', [this.#sessionsOf(token), hashOf(token), secretHash, lifetimeMs, replaced === undefined ? '' : hashOf(replaced), mostOfKey]);
  }

  /** @param isUsed somebody uses it now, so its idle time begins anew */
  async look(token: SessionToken, { idleMs, lifetimeMs }: SessionLimits, isUsed: boolean): Promise<LookedUpSession> {
    const reply: unknown = await this.client.runCommand('krsSessionLook', [this.#sessionsOf(token), hashOf(token), idleMs, lifetimeMs, isUsed ? '1' : '']);
    // The script's own answer.
    const [state, secretHash = '', startedAt] = reply as [LookedUpSession['state'], string?, string?];
    return state === SESSION_STATE.open ? { state, secretHash, startedAt: Number(startedAt) } : { state };
  }

  /** @returns whether a sign-in (or sign-out) of this key may be added to the audit: ten in a minute may */
  async takeAuditTurn(keyId: string, action: string): Promise<boolean> {
    return (await this.client.runCommand('krsTakeTurn', [this.keys.auditTurns(keyId, action), randomUUID(), AUDIT_TURNS])) === 0;
  }

  /** @returns whether it was there */
  async end(token: SessionToken): Promise<boolean> {
    return (await this.client.runCommand('krsSessionEnd', [this.#sessionsOf(token), hashOf(token)])) === 1;
  }

  #sessionsOf({ keyId }: SessionToken): string {
    return this.keys.sessions + keyId;
  }
}

function hashOf({ secret }: SessionToken): string {
  return hash('sha256', secret, 'hex');
}
