import type { StoredKey } from '../../shared/queue/access/stored-key.js';
import { printTime } from '../http/print-time.js';

/**
 * A key as the API shows it. Nothing of its secret is among it.
 * @param lastUsedAt milliseconds since the epoch, to the minute; undefined: never
 */
export function toWireKey({ id, name, role, permissions, clientIds, expiresAt, rateLimit = null, quota = null, previous, createdAt, createdBy }: StoredKey, lastUsedAt: number | undefined, now: number): object {
  return {
    id,
    name,
    role,
    permissions,
    client_ids: clientIds,
    rate_limit: rateLimit,
    quota,
    expires_at: expiresAt === null ? null : printTime(expiresAt),
    previous_expires_at: previous === null || previous.until <= now ? null : printTime(previous.until),
    created_at: printTime(createdAt),
    created_by: createdBy,
    last_used_at: lastUsedAt === undefined ? null : printTime(lastUsedAt),
  };
}
