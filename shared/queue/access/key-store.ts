import type { QueueClient } from '../engine/queue-client.js';
import type { AccessKeys } from '../fleet-keys.js';
import { KEY_CHANGE } from './key-scripts.js';
import { decodeKey, encodeKey, type StoredKey } from './stored-key.js';

/** All keys as they were at one time. */
export interface StoredKeys {
  /** Another one stands for other keys. */
  readonly version: string;
  /** undefined: they are those of the version that the caller knows. */
  readonly keys: ReadonlyMap<string, StoredKey> | undefined;
  /** It grows with each session that is ended. '0': none was. */
  readonly sessionVersion: string;
}

/** `changed`: another call has changed the key since it was read. */
export type KeyRefusal = 'changed' | 'last_admin' | 'too_many';

/** `version`: of all keys with the change. */
export type KeyChange = { readonly kind: 'done'; readonly version: string } | { readonly kind: KeyRefusal };

const refusalOf: Readonly<Record<number, KeyRefusal>> = {
  [KEY_CHANGE.changed]: 'changed',
  [KEY_CHANGE.lastAdmin]: 'last_admin',
  [KEY_CHANGE.tooMany]: 'too_many',
};

/** The access keys, for all processes together. Every method fails when Redis fails. */
export class KeyStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: AccessKeys,
  ) {}

  /** @param knownVersion '' for none */
  async read(knownVersion = ''): Promise<StoredKeys> {
    const reply: unknown = await this.client.runCommand('krsKeysRead', [this.keys.keys, this.keys.version, this.keys.sessionVersion, knownVersion]);
    // The script's own answer.
    const [version, sessionVersion, found] = reply as [string, string, string[]?];
    if (found === undefined) return { version, keys: undefined, sessionVersion };
    const keys = new Map<string, StoredKey>();
    for (let at = 0; at + 1 < found.length; at += 2) keys.set(found[at] ?? '', decodeKey(found[at + 1] ?? ''));
    return { version, keys, sessionVersion };
  }

  /**
   * Stores a key, if it is still as it was read.
   * @param before undefined: there is none with its id
   * @param most   MAX_ACCESS_KEYS, of which a new key has to be one
   */
  async put(before: StoredKey | undefined, after: StoredKey, { mayBeLastAdmin, most }: { readonly mayBeLastAdmin: boolean; readonly most: number }): Promise<KeyChange> {
    return this.#change(after.id, before, encodeKey(after), mayBeLastAdmin, most);
  }

  async remove(before: StoredKey, { mayBeLastAdmin }: { readonly mayBeLastAdmin: boolean }): Promise<KeyChange> {
    return this.#change(before.id, before, '', mayBeLastAdmin, 0);
  }

  /** @param uses by id, ms since the epoch. A later one that is stored stays. */
  async noteUses(uses: ReadonlyMap<string, number>): Promise<void> {
    await this.client.runCommand('krsKeysUsed', [this.keys.keys, this.keys.lastUses, ...[...uses].flat()]);
  }

  /** By id, ms since the epoch. Keys that were never used are not in it. */
  async lastUses(): Promise<ReadonlyMap<string, number>> {
    const reply: unknown = await this.client.runCommand('krsKeysLastUses', [this.keys.lastUses]);
    // The script's own answer.
    const found = reply as string[];
    const uses = new Map<string, number>();
    for (let at = 0; at + 1 < found.length; at += 2) uses.set(found[at] ?? '', Number(found[at + 1]));
    return uses;
  }

  async #change(id: string, before: StoredKey | undefined, after: string, mayBeLastAdmin: boolean, most: number): Promise<KeyChange> {
    const { keys, version, lastUses } = this.keys;
    const reply: unknown = await this.client.runCommand('krsKeysChange', [keys, version, lastUses, id, before === undefined ? '' : encodeKey(before), after, mayBeLastAdmin ? '' : '1', most]);
    // The script's own answer.
    const [code, changed = ''] = reply as [number, string?];
    if (code === KEY_CHANGE.done) return { kind: 'done', version: changed };
    const kind = refusalOf[code];
    if (kind === undefined) throw new TypeError(`krsKeysChange answered ${code}`);
    return { kind };
  }
}
