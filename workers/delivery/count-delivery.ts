import type { ActivityCounter } from '../../shared/domain/stats/activity-counter.js';
import type { Delivery } from './deliver-task.js';

/**
 * Counts what came of one fetched job, for GET /history and GET /status. A task whose worker dies before the outcome is recorded is
 * sent again, and then counts again: these are numbers of what was done, not of tasks.
 */
export function countDelivery({ outcome, result, startedAt, dueAt }: Delivery, counter: ActivityCounter): void {
  switch (outcome.kind) {
    case 'delivered':
      counter.count('delivered');
      break;
    case 'dead_lettered':
      counter.count('deadLettered');
      break;
    case 'retry':
    case 'dead_letter':
    case 'park':
      // A verdict without a send, such as poison, is no failed send.
      if (result?.kind === 'failed') counter.count('failed');
      break;
    case 'release':
    case 'defer':
    case 'leave':
      break;
  }
  if (result !== undefined && dueAt !== undefined) counter.countSend(startedAt - dueAt);
}
