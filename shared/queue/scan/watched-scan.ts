import type { Shard } from '../engine/shard.js';
import { mayHaveOverlooked, type LookAgainOptions } from './look-again.js';
import { readScanMark } from './scan-mark.js';
import { scanTasks, type ScanPart, type ScanPlace, type ScanRules } from './scan-tasks.js';

/**
 * As scanTasks, for numbers that have to be right: `isWhole` is false, too, where a task that matches was passed over, and at the end where
 * one may have been overlooked, because it moved meanwhile.
 */
export async function* scanWatched(shard: Shard, rules: ScanRules, from: ScanPlace | undefined, options: LookAgainOptions): AsyncGenerator<ScanPart, void, void> {
  const { takeTurn } = options;
  // A cursor of an older version has no mark.
  const mark = from === undefined ? await takeTurn(async () => ({ ...(await readScanMark(shard)), cpu: undefined })) : from.mark;
  let hasPassedOver = mark === undefined;
  for await (const { next, isWhole, ...part } of scanTasks(shard, rules, from, takeTurn, mark)) {
    hasPassedOver ||= part.tally.passedOver > 0;
    const isOverlooking = hasPassedOver || (next === undefined && mark !== undefined && (await mayHaveOverlooked(shard, rules, mark, options, part.waitingSince)));
    yield { ...part, isWhole: isWhole && !isOverlooking, next: next === undefined || mark === undefined ? next : { ...next, mark } };
  }
}
