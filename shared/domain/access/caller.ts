import type { RateLimit } from './rate-limit.js';

/** What a key may do. `operate` includes `read` and `submit`, and `admin` includes everything. */
export const keyRoles = ['submit', 'read', 'operate', 'admin'] as const;
export type KeyRole = (typeof keyRoles)[number];

/**
 * What a key may do beyond its role: `cancel` lets a submit key cancel tasks, `payload` shows messages, `edit` changes tasks. An
 * admin key has all of them.
 */
export const permissions = ['cancel', 'payload', 'edit'] as const;
export type Permission = (typeof permissions)[number];

/** Who sends a request, and what it may do. */
export interface Caller {
  /** `session`: a person at a browser, who has signed in with a key. */
  readonly type: 'anonymous' | 'key' | 'session';
  /** The id and the name of the key; null without one. */
  readonly id: string | null;
  readonly name: string | null;
  readonly role: KeyRole;
  readonly permissions: readonly Permission[];
  /** The clients whose tasks it may see and change; undefined: all of them. There is at least one. */
  readonly clientIds: readonly string[] | undefined;
  /** Of a key that is bound to clients: what its cursors are encrypted with (sealed-cursor.ts). */
  readonly sealSecret: string | undefined;
  /** When its key, or its session, ends by itself: ms since the epoch; null: never. */
  readonly endsAt: number | null;
  /** Left out: it may ask as often as it likes. */
  readonly rateLimit?: RateLimit | undefined;
}

/** Every caller while AUTH=off: it may do everything. */
export const anonymousCaller: Caller = { type: 'anonymous', id: null, name: null, role: 'admin', permissions: [], clientIds: undefined, sealSecret: undefined, endsAt: null };

const includedRoles: Readonly<Record<KeyRole, readonly KeyRole[]>> = {
  submit: ['submit'],
  read: ['read'],
  operate: ['submit', 'read', 'operate'],
  admin: keyRoles,
};

/** Whether it may do what needs this role. */
export function hasRole(caller: Caller, needed: KeyRole): boolean {
  return includedRoles[caller.role].includes(needed);
}

export function hasPermission(caller: Caller, permission: Permission): boolean {
  return caller.role === 'admin' || caller.permissions.includes(permission);
}

/** Whether tasks of this client exist for the caller. */
export function mayUseClient({ clientIds }: Caller, clientId: string): boolean {
  return clientIds === undefined || clientIds.includes(clientId);
}
