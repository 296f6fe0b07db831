import type { Shard } from '../../shared/queue/engine/shard.js';
import { FIRST_SEND } from '../../shared/queue/engine/told-bulk-action.js';
import type { ToldEnds } from '../../shared/queue/engine/told-ends.js';
import type { Delivery } from './deliver-task.js';

/**
 * Has the outcome of a task counted by the bulk action that started its run. An end is counted in the script that records it: see
 * told-bulk-action.ts. The failure of a first send that is not the end has no such script, so it is counted before it is recorded. It
 * is lost when Redis fails between the two, and is never counted twice.
 */
export async function tellBulkAction(jobId: string, { outcome, result, progress, startedAt, durationMs }: Delivery, { client, keys }: Shard, told: ToldEnds): Promise<void> {
  switch (outcome.kind) {
    case 'delivered':
      told.note(jobId, 'delivered');
      return;
    case 'dead_lettered':
    case 'park':
      told.note(jobId, 'failedAgain');
      return;
    case 'retry':
    case 'dead_letter':
      if (progress?.attempt !== 0 || progress.phase !== 'delivery' || result?.kind !== 'failed') return;
      // While Redis fails, the record of the attempt fails as well, and says so.
      await client.runCommand('krsTellFirstSend', [keys.base + jobId, jobId, startedAt + durationMs, FIRST_SEND.failed]).then(undefined, () => undefined);
      return;
    case 'release':
    case 'defer':
    case 'leave':
      return;
  }
}
