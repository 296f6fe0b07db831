import { FLEET_SLOTS, slotShare, type SlotSetting } from '../shared/domain/flow/slot-share.js';
import type { Logger } from '../shared/logging/logger.js';
import type { Shard } from '../shared/queue/engine/shard.js';

/**
 * Warns when all workers together may run more jobs of one queue than its Redis should search through. It counts the
 * workers that are connected now, this one included, and assumes that all have the settings of this one.
 * @param shards over which the slots of a worker are spread
 */
export async function warnOfLargeFleet({ queue }: Shard, shards: number, setting: SlotSetting, logger: Logger): Promise<void> {
  try {
    const workers = await queue.getWorkersCount();
    const each = Math.ceil(slotShare(setting, workers) / shards);
    if (workers * each <= FLEET_SLOTS) return;
    logger.warn(`${workers} workers x ${each} deliveries in flight is more than ${FLEET_SLOTS}: finishing a task gets slower; ${setting === 'auto' ? 'start fewer workers' : 'lower WORKER_CONCURRENCY'}`);
  } catch {
    // CLIENT LIST is switched off on some managed servers; the advice also stands in docs/OPERATIONS.md.
  }
}
