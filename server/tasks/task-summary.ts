import { shownFlowKey } from '../../shared/domain/destinations/http.js';
import { endpointOf, type NameRules } from '../../shared/domain/flow/flow-key.js';
import { shownPhase } from '../../shared/domain/task/shown-phase.js';
import type { FoundTask } from '../../shared/queue/scan/found-task.js';
import { printTime } from '../http/print-time.js';

/** What a summary shows of a task, but for why it waits. */
export type Summarized = Omit<FoundTask, 'place' | 'flowName' | 'deferral' | 'isReleased'>;

/**
 * The fields that every answer has which shows a task, in a list or alone.
 * @param waitingFor its code in a list, the whole of it alone
 */
export function summaryFields<WaitingFor>(task: Summarized, waitingFor: WaitingFor, facts: NameRules) {
  return {
    id: task.id,
    state: task.state,
    source: task.source,
    client_id: task.clientId,
    flow_key: task.flowKey === undefined ? null : shownFlowKey(task.flowKey, facts.mask),
    run: task.run,
    phase: shownPhase(task.phase),
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

function printTimeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : printTime(ms);
}
