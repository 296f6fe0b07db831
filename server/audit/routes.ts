import { hiddenName } from '../../shared/domain/destinations/http.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { AuditEntry } from '../../shared/queue/audit/audit-entry.js';
import { FLEET } from '../../shared/queue/fleet-keys.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { parseKey } from '../flow/destination-key.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import { orSayMissing } from '../flow/or-away.js';
import { jsonAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';
import { matcherOf, parseAuditQuery, printCursor } from './schema.js';
import { toWireAuditEntry } from './view.js';

export interface AuditParts {
  readonly queue: Pick<TaskQueue, 'readAudit'>;
  readonly fleetSettings: Pick<FleetSettings, 'inForce'>;
  readonly mask: PathMask;
  readonly clock: Clock;
}

/** Who changed what, when and why. server/http/operator-action.ts writes it. */
export const auditRoutes: readonly Route<AuditParts>[] = [
  {
    method: 'GET',
    path: '/audit',
    role: 'admin',
    body: 'none',
    query: ['actor', 'action', 'target', 'since', 'limit', 'cursor'],
    operationId: 'listAudit',
    metricLabel: '/audit',
    handle: async ({ query }, parts) => {
      const { filter, limit, sinceMs, before } = parseAuditQuery(query, parts.clock());
      const targets = filter.target === undefined ? undefined : await spellingsOf(filter.target, parts);
      const matches = matcherOf(filter, targets, sinceMs);
      const { entries, next, partsAway } = await orSayMissing('the audit', parts.queue.readAudit((entry) => matches(asShown(entry, parts.mask)), limit, { before, sinceMs }));
      return jsonAnswer(200, {
        entries: entries.map((entry) => toWireAuditEntry(asShown(entry, parts.mask))),
        next_cursor: next === undefined ? null : printCursor(filter, sinceMs, next),
        is_complete: partsAway.length === 0,
        // What concerns the whole fleet stands in no shard, so it has no name there.
        shards_away: partsAway.filter((part) => part !== FLEET),
      });
    },
  },
];

/** What was changed may have been named before its path was hidden. */
function asShown(entry: AuditEntry, mask: PathMask): AuditEntry {
  return entry.target.type === 'destination' ? { ...entry, target: { ...entry.target, id: hiddenName(entry.target.id, mask) } } : entry;
}

/** The target as it was written. One that names a destination, also as a url or by its id, stands for the key of the destination as well. */
async function spellingsOf(target: string, { fleetSettings, mask }: AuditParts): Promise<readonly string[]> {
  try {
    const { defaultBrokers } = await fleetSettings.inForce();
    return [target, parseKey(target, { defaultBrokers, mask, field: 'target' })];
  } catch (error) {
    // It is the key of no destination, but it may be the id of a task.
    if (error instanceof RequestError && error.code === 'invalid_request') return [target];
    throw error;
  }
}
