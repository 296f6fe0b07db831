import { isAllowedName, parseAuthority } from '../../shared/addresses/authority.js';

/**
 * A page that gives its own name the address of this port (DNS rebinding) could read its metrics where they need no token. Such a name has a
 * dot: one without is known to the network of this worker alone, as those of compose are.
 * @param allowedHosts `any`: none was named. The API answers under every name then, with a warning; a worker, which needs no name, does not
 */
export function isUnrebindable(host: string, allowedHosts: readonly string[] | 'any'): boolean {
  const authority = parseAuthority(host);
  return authority !== undefined && (isAllowedName(authority, allowedHosts === 'any' ? [] : allowedHosts) || !authority.name.includes('.'));
}
