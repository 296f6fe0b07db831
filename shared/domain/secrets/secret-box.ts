import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

/** One key of SECRETS_KEYS. */
export interface SecretKey {
  /** It stands beside what the key has encrypted: 1 to 32 of a-z, A-Z, 0-9, `-` and `_`. */
  readonly id: string;
  /** 256 bits. */
  readonly key: KeyObject;
}

/** Encrypts what is stored, and decrypts it again. */
export interface SecretBox {
  /** false: there is no key, and `seal` must not be called. */
  readonly hasKeys: boolean;
  /** The id of the key that encrypts; undefined when there is none. */
  readonly newestKeyId: string | undefined;
  /**
   * @param place what it is, and of whom. It is not stored, so only the same place can be opened with it: a text that was copied to
   *              another place is refused there
   * @returns `<key id>.<base64url>`, another one each time
   */
  seal(text: string, place: SecretPlace): string;
  /** @throws SealedTextError */
  open(sealed: string, place: SecretPlace): string;
}

/** Such as `['task', 'order-1', 'destination']`. */
export type SecretPlace = readonly string[];

/** `unknown_key`: SECRETS_KEYS has no key of that id. `tampered`: it was changed, stands in another place, or another key has its id. */
export type SealedTextFault = 'unknown_key' | 'tampered';

/** What is encrypted cannot be read. Its message has no part of it. */
export class SealedTextError extends Error {
  constructor(readonly fault: SealedTextFault, keyId: string) {
    super(fault === 'unknown_key' ? `it is encrypted with the key ${keyId}, which SECRETS_KEYS does not have` : 'what is encrypted was changed or moved, or a key of SECRETS_KEYS was replaced under the same id: nothing of it is used');
    this.name = 'SealedTextError';
  }
}

/** Fills a new buffer with random bytes. */
export type RandomBytes = (count: number) => Buffer;

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** An id that a person or another version has written is shown only when it looks like one. */
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;

export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/**
 * AES-256-GCM. The first key encrypts, all of them decrypt.
 *
 * The nonce is random: after 2^32 texts under one key two would be the same with a chance of 1 in 2^33, so a key should be replaced
 * long before.
 */
export function createSecretBox(keys: readonly SecretKey[], randomBytes: RandomBytes): SecretBox {
  const newest = keys[0];
  const byId = new Map(keys.map((key) => [key.id, key]));
  return {
    hasKeys: newest !== undefined,
    newestKeyId: newest?.id,
    seal(text, place) {
      if (newest === undefined) throw new Error('without SECRETS_KEYS nothing can be encrypted');
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, newest.key, nonce, { authTagLength: TAG_BYTES }).setAAD(placeBytes(place));
      const parts = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return `${newest.id}.${Buffer.concat(parts).toString('base64url')}`;
    },
    open(sealed, place) {
      const id = keyIdOf(sealed) ?? '';
      const key = byId.get(id);
      if (key === undefined) throw new SealedTextError('unknown_key', isKeyId(id) ? id : '(none)');
      const bytes = Buffer.from(sealed.slice(id.length + 1), 'base64url');
      if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new SealedTextError('tampered', id);
      const decipher = createDecipheriv(CIPHER, key.key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
        .setAAD(placeBytes(place))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
      } catch {
        throw new SealedTextError('tampered', id); // OpenSSL says no more than that it does not fit
      }
    },
  };
}

/** That of a process without SECRETS_KEYS. */
export const noSecretKeys: SecretBox = createSecretBox([], (count) => Buffer.alloc(count));

/** The id of the key that a text was encrypted with; undefined when it is no such text. */
export function keyIdOf(sealed: string): string | undefined {
  const end = sealed.indexOf('.');
  return end < 1 ? undefined : sealed.slice(0, end);
}

function placeBytes(place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify(place), 'utf8');
}
