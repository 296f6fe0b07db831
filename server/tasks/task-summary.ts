import { hiddenName, shownFlowKey } from '../../shared/domain/destinations/http.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { canonicalName, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import type { FoundTask } from '../../shared/queue/scan/found-task.js';
import { printTime } from '../http/print-time.js';

/** What a summary shows of a task, but for why it waits. */
export type Summarized = Omit<FoundTask, 'place' | 'flowName' | 'deferral' | 'isReleased'>;

/** What names of destinations are shown by. */
export interface NameFacts {
  readonly defaultBrokers: DefaultBrokers;
  readonly mask: PathMask;
}

/**
 * The fields that every answer has which shows a task, in a list or alone.
 * @param waitingFor its code in a list, the whole of it alone
 */
export function summaryFields<WaitingFor>(task: Summarized, waitingFor: WaitingFor, facts: NameFacts) {
  return {
    id: task.id,
    state: task.state,
    source: task.source,
    client_id: task.clientId,
    flow_key: task.flowKey === undefined ? null : shownFlowKey(task.flowKey, facts.mask),
    run: task.run,
    phase: task.phase === 'dead' ? 'dead_letter' : 'delivery',
    attempts: task.attempts,
    created_at: printTime(task.createdAt),
    updated_at: printTime(task.updatedAt),
    next_attempt_at: printTimeOrNull(task.nextAttemptAt),
    finished_at: printTimeOrNull(task.finishedAt),
    waiting_for: waitingFor,
    dead_reason: task.deadReason ?? null,
    destination_type: task.destinationType,
    destination_key: endpointOf(task, facts),
    error_code: task.code ?? null,
    http_status: task.httpStatus ?? null,
    is_priority: task.isPriority,
    message_bytes: task.messageBytes,
    bulk_action_id: task.bulkActionId ?? null,
    edits: task.edits,
  };
}

/** `https://api.example.com/orders`, `kafka://default/orders` */
export function endpointOf({ host, path }: Pick<FoundTask, 'host' | 'path'>, { defaultBrokers, mask }: NameFacts): string {
  return hiddenName(canonicalName(host, defaultBrokers, mask) + path, mask);
}

function printTimeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : printTime(ms);
}
