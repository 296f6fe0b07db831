import { serviceActor } from '../../shared/domain/actor.js';
import type { BulkAction } from '../../shared/domain/bulk-actions/bulk-action.js';
import type { BulkCounts } from '../../shared/domain/bulk-actions/bulk-counts.js';
import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';

/**
 * Adds to the audit that a bulk action has paused itself, or has ended: the service has done it, for the reason of the person who asked for
 * the action. It never fails, because the action is in its new state whatever becomes of its entry.
 */
export async function recordOwnChange(queue: Pick<TaskQueue, 'withAudit'>, logger: Logger, { id, state, stateReason, asked }: BulkAction, { started }: BulkCounts): Promise<void> {
  const action = state === 'paused' ? 'bulk_action.pause' : 'bulk_action.end';
  const errorCode = state === 'failed' || state === 'refused' ? stateReason?.code : undefined;
  try {
    await queue.withAudit((audit) => audit.record({ action, actor: serviceActor, target: { type: 'bulk_action', id }, reason: asked.reason ?? undefined, requestId: undefined, count: started, errorCode }));
  } catch (error) {
    logger.warn('a change of a bulk action could not be added to the audit', { bulk_action_id: id, error: printError(error) });
  }
}
