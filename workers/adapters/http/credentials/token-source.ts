import { hash, randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

import type { OAuth2Client } from '../../../../shared/domain/credentials/credential-values.js';
import { TimeLimitReached, type Clock } from '../../../../shared/domain/ports.js';
import type { SecretBox } from '../../../../shared/domain/secrets/secret-box.js';
import { ASKING_LEASE_MS, type TokenStore } from '../../../../shared/queue/credentials/token-store.js';
import { withinRequestLimit } from '../../../../shared/redis/request-limit.js';
import type { TokenAnswer } from './token-request.js';
import { failureFrom, tokenFrom, type Token, type TokenFailure, type TokenRecord } from './token-record.js';

export interface TokenSourceOptions {
  readonly store: () => Pick<TokenStore, 'take' | 'store' | 'keepAsking'>;
  readonly secrets: SecretBox;
  readonly clock: Clock;
  /** Asks the token server. It always resolves. */
  readonly ask: (client: OAuth2Client, signal: AbortSignal) => Promise<TokenAnswer>;
}

/** `isNew`: this call has asked the token server for it. `isAway`: Redis could not be asked. */
export type GivenToken = { readonly token: string; readonly isNew: boolean } | { readonly failure: TokenFailure } | { readonly isAway: true };

/** For an answer of the token server. */
const ASK_LIMIT_MS = 10_000;
/** Another process asks: how long it is waited for, and how often it is looked. */
const WAIT_LIMIT_MS = 15_000;
const LOOK_EVERY_MS = 100;
/**
 * A token that replaced a refused one, and is refused as well, is not replaced again so soon: another token is not what that receiver
 * wants, and the token server must not be asked with each send.
 */
const AFTER_REFUSAL_MS = 60_000;
/** A token that is still good is not replaced for so long after the server gave none. */
const EARLY_PAUSE_MS = 5_000;
const MOST_CLIENTS = 10_000;

interface Known {
  /** As it stands in Redis. */
  readonly text: string;
  readonly record: TokenRecord;
}

/** The tokens of OAuth 2 clients: one of the whole fleet for each client, in Redis, and one process at a time that asks for another. */
export class TokenSource {
  readonly #known = new Map<string, Known>();
  readonly #renewals = new Map<string, Promise<GivenToken>>();
  readonly #noEarlyRefreshUntil = new Map<string, number>();
  readonly #closing = new AbortController();

  constructor(private readonly options: TokenSourceOptions) {}

  /** A token that is good now. It waits only where there is none. */
  async get(client: OAuth2Client): Promise<GivenToken> {
    const id = tokenIdOf(client);
    const now = this.options.clock();
    const known = this.#known.get(id);
    if (known?.record.kind !== 'token' || now >= known.record.expiresAt) return this.#renew(id, client, known?.text ?? '', false);
    if (now >= known.record.refreshAt && now >= (this.#noEarlyRefreshUntil.get(id) ?? 0)) void this.#renew(id, client, known.text, false);
    return { token: known.record.token, isNew: false };
  }

  /**
   * Another token in place of one that a receiver has refused with 401.
   * @param wasTaken the same receiver has taken this token before
   * @returns undefined when there is no use in another one
   */
  async afterRefusal(client: OAuth2Client, token: string, wasTaken: boolean): Promise<GivenToken | undefined> {
    const id = tokenIdOf(client);
    const known = this.#known.get(id);
    const now = this.options.clock();
    if (known?.record.kind !== 'token') return this.#renew(id, client, known?.text ?? '', true);
    const { record } = known;
    // Another send, or another process, has replaced it meanwhile.
    if (record.token !== token && now < record.expiresAt) return { token: record.token, isNew: false };
    if (now < (this.#noEarlyRefreshUntil.get(id) ?? 0)) return undefined;
    if (record.isAfterRefusal && !wasTaken && now - record.madeAt < AFTER_REFUSAL_MS) return undefined;
    return this.#renew(id, client, known.text, true);
  }

  /** Calls that wait for a token end without one. */
  close(): void {
    this.#closing.abort();
  }

  /** The sends of one process share what it asks. @param unwanted as it stands in Redis, '' for nothing */
  #renew(id: string, client: OAuth2Client, unwanted: string, isAfterRefusal: boolean): Promise<GivenToken> {
    let renewal = this.#renewals.get(id);
    if (renewal === undefined) {
      renewal = this.#renewOnce(id, client, unwanted, isAfterRefusal)
        .catch((): GivenToken => ({ isAway: true }))
        .finally(() => this.#renewals.delete(id));
      this.#renewals.set(id, renewal);
    }
    return renewal;
  }

  async #renewOnce(id: string, client: OAuth2Client, first: string, isAfterRefusal: boolean): Promise<GivenToken> {
    const asker = randomUUID();
    const until = performance.now() + WAIT_LIMIT_MS;
    let unwanted = first;
    let failures = 0;
    while (performance.now() < until && !this.#closing.signal.aborted) {
      // A worker's own calls wait for Redis without an end, and the time of the attempt would be the receiver's.
      const taken = await withinRequestLimit(this.options.store().take(id, unwanted, asker));
      if (taken === 'ask') return this.#askAndStore(id, client, asker, failures, isAfterRefusal);
      if (taken === 'wait') {
        await wait(LOOK_EVERY_MS);
        continue;
      }
      const record = this.#open(id, taken.stored);
      const now = this.options.clock();
      if (record?.kind === 'token' && now < record.expiresAt) return this.#keep(id, taken.stored, record, false);
      if (record?.kind === 'failure' && now < record.until) return { failure: record.failure };
      // It is over, or of a key that this process does not have: not wanted either.
      unwanted = taken.stored;
      if (record?.kind === 'failure') failures = record.failures;
    }
    return { failure: { code: 'token_unavailable', detail: 'another worker asks the token server, and has had no answer in time' } };
  }

  async #askAndStore(id: string, client: OAuth2Client, asker: string, failures: number, isAfterRefusal: boolean): Promise<GivenToken> {
    const store = this.options.store();
    const limit = new AbortController();
    const timer = setTimeout(() => { limit.abort(new TimeLimitReached(ASK_LIMIT_MS)); }, ASK_LIMIT_MS);
    const renewing = setInterval(() => void store.keepAsking(id, asker).catch(() => undefined), ASKING_LEASE_MS / 3);
    const stop = (): void => { limit.abort(new TimeLimitReached(ASK_LIMIT_MS)); };
    this.#closing.signal.addEventListener('abort', stop);
    let answer: TokenAnswer;
    try {
      answer = await this.options.ask(client, limit.signal);
    } finally {
      clearTimeout(timer);
      clearInterval(renewing);
      this.#closing.signal.removeEventListener('abort', stop);
    }
    const now = this.options.clock();
    if ('failure' in answer) {
      this.#noEarlyRefreshUntil.set(id, now + EARLY_PAUSE_MS);
      const known = this.#known.get(id)?.record;
      // A token that is still good must not be lost because no other one could be had.
      const isStillGood = known?.kind === 'token' && now < known.expiresAt;
      const record = failureFrom(answer.failure, failures, now);
      await kept(store.store(id, asker, isStillGood ? undefined : this.#seal(id, record), record.kind === 'failure' ? 2 * (record.until - now) : 0));
      return answer;
    }
    const record = tokenFrom(answer.token, answer.lifeMs, now, isAfterRefusal);
    const text = this.#seal(id, record);
    await kept(store.store(id, asker, text, record.expiresAt - now));
    this.#noEarlyRefreshUntil.delete(id);
    return this.#keep(id, text, record, true);
  }

  #keep(id: string, text: string, record: Token, isNew: boolean): GivenToken {
    if (this.#known.size >= MOST_CLIENTS && !this.#known.has(id)) this.#known.clear();
    this.#known.set(id, { text, record });
    return { token: record.token, isNew };
  }

  #seal(id: string, record: TokenRecord): string {
    const text = JSON.stringify(record);
    return this.options.secrets.hasKeys ? this.options.secrets.seal(text, ['token', id]) : text;
  }

  #open(id: string, text: string): TokenRecord | undefined {
    try {
      // `#seal` of some process wrote it.
      return JSON.parse(text.startsWith('{') ? text : this.options.secrets.open(text, ['token', id])) as TokenRecord;
    } catch {
      return undefined; // of another key, or another version: it is replaced
    }
  }
}

/** Where Redis cannot keep in time what the token server said, this process goes by it all the same. */
async function kept(storing: Promise<void>): Promise<void> {
  await withinRequestLimit(storing).catch(() => undefined);
}

/** Another secret, scope or server is another client, so a change never finds an old token. */
export function tokenIdOf(client: OAuth2Client): string {
  return hash('sha256', JSON.stringify([client.token_url, client.client_id, client.client_secret, client.scope ?? null, client.audience ?? null, client.client_authentication]), 'hex');
}
