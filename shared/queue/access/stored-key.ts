import type { KeyRole, Permission } from '../../domain/access/caller.js';
import type { Actor } from '../../domain/actor.js';

/** A key as Redis has it. Times are milliseconds since the epoch. The secret is nowhere: only its hash is kept. */
export interface StoredKey {
  readonly id: string;
  readonly name: string;
  readonly role: KeyRole;
  readonly permissions: readonly Permission[];
  /** null: it is not bound to clients. */
  readonly clientIds: readonly string[] | null;
  /** SHA-256 of the secret, as hex. */
  readonly secretHash: string;
  /** The secret before the last rotation, while it still holds. */
  readonly previous: { readonly secretHash: string; readonly until: number } | null;
  /** It is shown to nobody: see sealed-cursor.ts. */
  readonly sealSecret: string;
  /** null: never. */
  readonly expiresAt: number | null;
  /** Tasks and other calls a second; null: any number. Older keys do not have the field: a change compares a key with its text. */
  readonly rateLimit?: number | null;
  /** How many tasks each of its clients may have; null: any number. Older keys do not have the field. */
  readonly quota?: number | null;
  readonly createdAt: number;
  readonly createdBy: Actor;
}

export function encodeKey(key: StoredKey): string {
  return JSON.stringify(key);
}

/** @throws SyntaxError, TypeError for a text that this service has not written */
export function decodeKey(text: string): StoredKey {
  // A fault in the parts that decide about access must not be passed over: a key without client_ids would see all clients.
  const { id, secretHash, permissions, clientIds } = JSON.parse(text) as Readonly<Record<keyof StoredKey, unknown>>;
  if (typeof id !== 'string' || typeof secretHash !== 'string' || !Array.isArray(permissions) || !(clientIds === null || Array.isArray(clientIds))) throw new TypeError('this is no key');
  // encodeKey wrote it.
  return JSON.parse(text) as StoredKey;
}
