import { hash } from 'node:crypto';
import type { SessionToken } from '../../shared/domain/access/session-token.js';
import type { LookedUpSession, OpenSession } from '../../shared/queue/access/session-store.js';

/** So many sessions are remembered. */
const MOST_REMEMBERED = 1_000;

/** A session as it was looked up last. */
export interface RememberedSession {
  readonly session: OpenSession;
  /** Of the sessions that had ended at that moment: this one is not among them. */
  readonly version: number;
  /** When it may be idle or over, monotonic ms. */
  readonly openUntil: number;
}

/**
 * The sessions that this process has looked up as open, the newest ones. One is worth something only as long as no session has ended since, anywhere: this
 * process forgets those of an older version as soon as it hears of a later one, and asks the shards before it believes one (sessions.ts).
 */
export class SessionMemory {
  /** By the id of the key and the hash of the session's secret, the one that was looked up last at the end. */
  readonly #remembered = new Map<string, RememberedSession>();
  #newest = 0;

  constructor(private readonly most = MOST_REMEMBERED) {}

  /** @param askedAt when the look began, monotonic ms */
  note(token: SessionToken, { session, version: text, leftMs }: LookedUpSession, askedAt: number): void {
    const version = Number(text);
    this.heard(version);
    this.forget(token);
    if (session.state !== 'open') return;
    this.#remembered.set(nameOf(token), { session, version, openUntil: askedAt + leftMs });
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= this.most) break;
      this.#remembered.delete(oldest);
    }
  }

  /** A session was ended somewhere, which may be any of them. @param version of the sessions that have ended since then */
  heard(version: number): void {
    this.#newest = Math.max(this.#newest, version);
  }

  forget(token: SessionToken): void {
    this.#remembered.delete(nameOf(token));
  }

  /** @param now monotonic ms. @returns undefined for one that may have ended, as far as this process knows by itself */
  find(token: SessionToken, now: number): RememberedSession | undefined {
    const found = this.#remembered.get(nameOf(token));
    return found !== undefined && found.version === this.#newest && now < found.openUntil ? found : undefined;
  }
}

/** Its secret is not kept. The same secret with another key is no session. */
function nameOf({ keyId, secret }: SessionToken): string {
  return `${keyId} ${hash('sha256', secret, 'hex')}`;
}
