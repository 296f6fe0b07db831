import { serviceActor } from '../shared/domain/actor.js';
import type { Pause } from '../shared/domain/flow/flow-policy.js';
import type { Logger } from '../shared/logging/logger.js';
import type { TaskQueue } from '../shared/queue/tasks/task-queue.js';

/**
 * Adds to the audit that a pause was over by itself: the service has done it, for the reason of the person who paused. It never
 * fails, because the pause is over whatever becomes of its entry.
 */
export async function recordEndOfPause(queue: Pick<TaskQueue, 'withAudit'>, logger: Logger, name: string, { reason }: Pause): Promise<void> {
  try {
    await queue.withAudit('fleet', (audit) => audit.record({ action: 'destination.resume', actor: serviceActor, target: { type: 'destination', id: name }, reason, requestId: undefined, count: 1 }));
  } catch (error) {
    logger.warn('the end of a pause could not be added to the audit', { destination: name, error: error instanceof Error ? error.message : String(error) });
  }
}
