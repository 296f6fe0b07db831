import type { TaskCounts } from '../../shared/queue/tasks/task-counts.js';
import type { HeldByCode } from './held-codes.js';

/** Counts in the form in which GET /stats and GET /status show them. */
export function toWireCounts(counts: TaskCounts, held: HeldByCode): object {
  const { waiting, due, sending, ended, deadLettered, parked, unreadable, scheduled, retrying, deadLettering, cancelled, isHeldExact } = counts;
  return {
    waiting,
    due,
    sending,
    ended,
    // Clients of the first version know the ended ones under this name.
    delivered: ended,
    dead_lettered: deadLettered,
    parked,
    unreadable,
    held,
    is_held_exact: isHeldExact,
    scheduled,
    retrying,
    dead_lettering: deadLettering,
    cancelled,
    is_estimate: true,
  };
}
