import { isSentNowByBulkAction } from '../../shared/domain/task/attempt-record.js';
import type { Shard } from '../../shared/queue/engine/shard.js';
import { FIRST_SEND } from '../../shared/queue/engine/told-bulk-action.js';
import type { ToldEnds } from '../../shared/queue/engine/told-ends.js';
import type { Delivery, FetchedJob } from './deliver-task.js';

/**
 * Has the outcome of a task counted by the bulk action that started its run, and by one that sent it now. An end is counted in the script
 * that records it: see told-bulk-action.ts. A first send that is not the end has no such script, so it is counted before it is recorded. It
 * is lost when Redis fails between the two, and is never counted twice.
 */
export async function tellBulkAction({ id, log }: Pick<FetchedJob, 'id' | 'log'>, { outcome, result, progress, startedAt, durationMs }: Delivery, { client, keys }: Shard, told: ToldEnds): Promise<void> {
  const isSentNow = isSentNowByBulkAction(log);
  const tellFirstSend = async (letter: string, isFirstOfRun: boolean): Promise<void> => {
    // While Redis fails, the record of the attempt fails as well, and says so.
    await client.runCommand('krsTellFirstSend', [keys.base + id, id, startedAt + durationMs, letter, isFirstOfRun ? '1' : '']).then(undefined, () => undefined);
  };
  switch (outcome.kind) {
    case 'delivered':
      told.note(id, 'delivered');
      return;
    case 'dead_lettered':
      // The send that was made now has arrived, whatever that says of its run.
      if (isSentNow && result?.kind === 'delivered') await tellFirstSend(FIRST_SEND.delivered, false);
      told.note(id, 'failedAgain');
      return;
    case 'park':
      told.note(id, 'failedAgain');
      return;
    case 'retry':
    case 'dead_letter': {
      const isFirstOfRun = progress?.attempt === 0 && progress.phase === 'delivery';
      if (result?.kind === 'failed' && (isFirstOfRun || isSentNow)) await tellFirstSend(FIRST_SEND.failed, isFirstOfRun);
      return;
    }
    case 'release':
    case 'defer':
    case 'leave':
      return;
  }
}
