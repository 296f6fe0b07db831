import type { Logger } from '../shared/logging/logger.js';
import type { Shard } from '../shared/queue/engine/shard.js';

/** When a job finishes, Redis searches the list of running ones: 19 us at 50 of them, 134 us at 2,000 (engine facts). */
const MOST_IN_FLIGHT = 2_000;

/**
 * Warns when all workers together may run more jobs of one queue than its Redis should search through. It counts the
 * workers that are connected now, this one included, and assumes that all have the settings of this one.
 */
export async function warnOfLargeFleet({ queue }: Shard, concurrency: number, logger: Logger): Promise<void> {
  try {
    const workers = await queue.getWorkersCount();
    if (workers * concurrency <= MOST_IN_FLIGHT) return;
    logger.warn(`${workers} workers x ${concurrency} deliveries in flight is more than ${MOST_IN_FLIGHT}: finishing a task gets slower; lower WORKER_CONCURRENCY`);
  } catch {
    // CLIENT LIST is switched off on some managed servers; the advice also stands in docs/OPERATIONS.md.
  }
}
