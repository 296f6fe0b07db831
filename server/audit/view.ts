import type { AuditEntry } from '../../shared/queue/audit/audit-entry.js';
import { printTime } from '../http/print-time.js';

/** An entry as GET /audit shows it. While it is begun and not completed, all that is known only afterwards is null. */
export function toWireAuditEntry({ id, at, actor, action, target, reason, requestId, end }: AuditEntry): object {
  return {
    id,
    at: printTime(at),
    actor,
    action: end?.action ?? action,
    target,
    reason: reason ?? null,
    request_id: requestId ?? null,
    completed_at: end === undefined ? null : printTime(end.at),
    outcome: end?.outcome ?? 'begun',
    error_code: end?.errorCode ?? null,
    count: end?.count ?? null,
    before: end?.fields?.before ?? null,
    after: end?.fields?.after ?? null,
  };
}
