import type { FailureCounter } from '../../shared/domain/stats/failure-counter.js';
import type { FailureNext } from '../../shared/domain/stats/failure-groups.js';
import { flowDue } from '../../shared/domain/flow/flow-key.js';
import type { Outcome } from '../../shared/domain/task/outcome.js';
import type { DeliverTaskContext, Delivery } from './deliver-task.js';

/** Counts a failed send that used an attempt, for GET /failures: by where it went, how it failed, and what was decided. */
export function countFailure({ outcome, result, task, progress, startedAt, durationMs }: Delivery, counter: FailureCounter, { defaultBrokers, mask }: Pick<DeliverTaskContext, 'defaultBrokers' | 'mask'>): void {
  // Nearly all sends are delivered.
  if (result?.kind !== 'failed' || task === undefined || progress === undefined) return;
  const next = nextOf(outcome);
  const flow = flowDue(task, progress.phase, defaultBrokers, mask);
  if (next === undefined || flow === undefined) return;
  counter.count({ destinationKey: flow.endpoint, code: result.code, httpStatus: result.httpStatus, next, phase: progress.phase, taskId: task.id, at: startedAt + durationMs });
}

/** @returns undefined where no attempt was used */
function nextOf({ kind }: Outcome): FailureNext | undefined {
  switch (kind) {
    case 'retry':
    case 'dead_letter':
    case 'park':
      return kind;
    case 'delivered':
    case 'dead_lettered':
    case 'release':
    case 'defer':
    case 'leave':
      return undefined;
  }
}
