import { hash } from 'node:crypto';
import { CredentialIndex } from '../../shared/domain/credentials/credential-index.js';
import type { Credentials } from '../../shared/domain/credentials/credential-values.js';
import { hostOfName } from '../../shared/domain/flow/flow-key.js';
import { hiddenName } from '../../shared/domain/destinations/http.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { DeliveryResult } from '../../shared/domain/ports.js';
import type { SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { RepeatedStep } from '../../shared/lifecycle/repeated-step.js';
import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';
import type { CredentialStore } from '../../shared/queue/credentials/credential-store.js';
import { lastSetAt, openAll, type StoredCredentials } from '../../shared/queue/credentials/stored-credentials.js';

/** The credentials of one stored key, as long as they stay the same. */
export interface CredentialsInUse {
  /** Of the stored key and all its values: other values have another one. It tells nothing of them. */
  readonly identity: string;
  readonly values: Credentials;
  /** The key that they are stored under: a host, or a place in it. */
  readonly key: string;
  /** Why they cannot be used; then `values` has none. Nothing may be sent without them. */
  readonly fault?: string;
}

/** Finds the credentials that hold for a place: see CredentialIndex. */
export interface CredentialFinder {
  has(host: string): boolean;
  find(host: string, path: string, exact?: string): CredentialsInUse | undefined;
}

/** The result of a send whose credentials have a fault. */
export const credentialsUnreadable: DeliveryResult = { kind: 'failed', code: 'credentials_unreadable', detail: 'the credentials of this destination cannot be decrypted by this worker' };

export interface CredentialWatchOptions {
  readonly store: () => Pick<CredentialStore, 'read'>;
  readonly secrets: SecretBox;
  readonly mask: PathMask;
  readonly logger: Logger;
}

/** How often Redis is asked whether credentials have changed, ms. All workers know a change within a second. */
const LOOK_EVERY_MS = 250;
const LOOK_AFTER_FAILURE_MS = 500;

/** What this worker knows of the credentials of destinations. For a send it is a look-up in memory. */
export class CredentialWatch {
  readonly #steps = new RepeatedStep(() => this.#look());
  #version = '';
  #inUse: ReadonlyMap<string, CredentialsInUse> = new Map();
  /** When those of a stored key were set, ms since the epoch. */
  #setAt: ReadonlyMap<string, number> = new Map();
  #index = new CredentialIndex<CredentialsInUse>([], hostOfName);
  #isFailing = false;

  constructor(private readonly options: CredentialWatchOptions) {}

  /** Resolves when they have been read once: a task must not be sent without the credentials of its destination. @throws when Redis fails */
  async start(): Promise<void> {
    await this.#read();
    this.#steps.start();
  }

  async stop(): Promise<void> {
    await this.#steps.stop();
  }

  /** Does any key of this host have credentials? Nearly none does. */
  has(host: string): boolean {
    return this.#index.has(host);
  }

  /** See CredentialIndex. */
  find(host: string, path: string, exact?: string): CredentialsInUse | undefined {
    return this.#index.find(host, path, exact);
  }

  /** The mask hides other paths now: what is stored under an open path holds for its hidden one. */
  namesHaveChanged(): void {
    this.#setIndex();
  }

  async #look(): Promise<number> {
    try {
      await this.#read();
      this.#isFailing = false;
      return LOOK_EVERY_MS;
    } catch (error) {
      // Redis that is away is logged elsewhere. What is known stays in use meanwhile.
      if (!this.#isFailing) this.options.logger.debug('the credentials of destinations could not be read: those that are known stay in use', { error: printError(error) });
      this.#isFailing = true;
      return LOOK_AFTER_FAILURE_MS;
    }
  }

  async #read(): Promise<void> {
    const { version, stored } = await this.options.store().read(this.#version);
    if (stored !== undefined) this.#use(stored);
    this.#version = version;
  }

  #use(stored: readonly StoredCredentials[]): void {
    const next = new Map(stored.map((each) => [each.key, this.#opened(each)] as const));
    this.#inUse = next;
    this.#setAt = new Map(stored.map((each) => [each.key, lastSetAt(each)] as const));
    this.#setIndex();
  }

  #setIndex(): void {
    const { mask } = this.options;
    const entries = [...this.#inUse].map(([key, value]) => ({ name: hiddenName(key, mask), value, setAt: this.#setAt.get(key) ?? 0 }));
    // What comes last holds: what was set last, and of a copy and its original the copy.
    entries.sort((a, b) => a.setAt - b.setAt || Number(a.name === a.value.key) - Number(b.name === b.value.key));
    this.#index = new CredentialIndex(entries.map(({ name, value }) => [name, value] as const), hostOfName);
  }

  #opened(stored: StoredCredentials): CredentialsInUse {
    const { key } = stored;
    const before = this.#inUse.get(key);
    try {
      const values = openAll(stored, this.options.secrets);
      const identity = hash('sha256', JSON.stringify([key, values]), 'hex');
      return before?.identity === identity ? before : { identity, key, values };
    } catch (error) {
      const fault = error instanceof Error ? error.message : 'they cannot be read';
      if (before?.fault !== fault) this.options.logger.error('the credentials of a destination cannot be decrypted: nothing is sent there', { destination: key, error: fault });
      return { identity: `unreadable ${key}`, key, values: {}, fault };
    }
  }
}
