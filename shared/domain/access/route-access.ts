import { hasPermission, hasRole, type Caller, type KeyRole, type Permission } from './caller.js';

/** The role that a route needs. `none`: no key is asked for. `any_key`: a key is asked for, and its role does not matter. */
export type RouteRole = 'none' | 'any_key' | KeyRole;

/** Who may call a route. */
export interface RouteAccess {
  readonly role: RouteRole;
  /** What a key needs besides the role. */
  readonly permission?: Permission;
  /** A key with this role and this permission will do as well. */
  readonly orElse?: { readonly role: KeyRole; readonly permission: Permission };
  /** METRICS_TOKEN will do as well. */
  readonly takesMetricsToken?: true;
  /** Its handler shows and changes tasks of the caller's own clients alone. Without it, a key that is bound to clients is refused. */
  readonly isNarrowed?: true;
}

/**
 * The one decision whether a key may call a route. What exists behind the route plays no part in it, so a refusal tells nothing of that.
 * @returns undefined: it may; else what is missing: `the role operate`, `the permission edit`, `a key that is not bound to clients`
 */
export function missingFor(access: RouteAccess, caller: Caller): string | undefined {
  const { role, permission, orElse, isNarrowed = false } = access;
  if (role === 'none') return undefined;
  if (caller.clientIds !== undefined && !isNarrowed) return 'a key that is not bound to clients';
  if (role !== 'any_key' && !hasRole(caller, role)) {
    if (orElse === undefined || !hasRole(caller, orElse.role)) return `the role ${role}`;
    return hasPermission(caller, orElse.permission) ? undefined : `the role ${role}, or the permission ${orElse.permission}`;
  }
  if (permission !== undefined && !hasPermission(caller, permission)) return `the permission ${permission}`;
  return undefined;
}
