import type { QueueClient } from '../engine/queue-client.js';
import type { CredentialKeys } from '../fleet-keys.js';

/** A process that asks for a token and dies is replaced after this time, ms. It renews its right three times in it. */
export const ASKING_LEASE_MS = 1_500;

/** `ask`: the caller is the one that asks for another token now. `wait`: another process does. */
export type TakenToken = { readonly stored: string } | 'ask' | 'wait';

/** The tokens of OAuth 2 clients that the fleet shares. They are texts here: see token-record.ts. Every method fails when Redis fails. */
export class TokenStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: CredentialKeys,
  ) {}

  /**
   * @param id       of the client
   * @param unwanted what the caller has read before and cannot use any more, '' for nothing
   * @param asker    a name that no other call has
   */
  async take(id: string, unwanted: string, asker: string): Promise<TakenToken> {
    const reply: unknown = await this.client.runCommand('krsTokenTake', [this.keys.token(id), this.keys.tokenLock(id), unwanted, asker, ASKING_LEASE_MS]);
    if (reply === 1) return 'ask';
    return typeof reply === 'string' ? { stored: reply } : 'wait';
  }

  async keepAsking(id: string, asker: string): Promise<void> {
    await this.client.runCommand('krsTokenKeepAsking', [this.keys.tokenLock(id), asker, ASKING_LEASE_MS]);
  }

  /**
   * Stores what the caller was told, unless its right to ask has lapsed meanwhile, and ends that right.
   * @param text undefined: nothing is stored
   */
  async store(id: string, asker: string, text: string | undefined, keptMs: number): Promise<void> {
    await this.client.runCommand('krsTokenStore', [this.keys.token(id), this.keys.tokenLock(id), asker, text ?? '', Math.max(1, Math.ceil(keptMs))]);
  }
}
