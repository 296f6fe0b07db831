/**
 * The numbers of an action in one shard, or in all of them. They hold at each moment:
 * matched = pending + started + the six skipped ones; started = in progress + delivered + failedAgain + cancelled.
 * `invalid` and `unreadable`: an override did not fit the task, or the task could not be read for it.
 * `notRead`: it is not known whether these match, so they are not among `matched`, and stay as they are.
 */
export const bulkCountNames = ['matched', 'pending', 'started', 'delivered', 'failedAgain', 'cancelled', 'changed', 'gone', 'beingSent', 'overLimit', 'invalid', 'unreadable', 'firstDelivered', 'firstFailed', 'notRead'] as const;
export type BulkCountName = (typeof bulkCountNames)[number];
export type BulkCounts = Readonly<Record<BulkCountName, number>>;

export const noCounts: BulkCounts = { matched: 0, pending: 0, started: 0, delivered: 0, failedAgain: 0, cancelled: 0, changed: 0, gone: 0, beingSent: 0, overLimit: 0, invalid: 0, unreadable: 0, firstDelivered: 0, firstFailed: 0, notRead: 0 };

export function sumOfCounts(parts: readonly BulkCounts[]): BulkCounts {
  const sum = (name: BulkCountName): number => parts.reduce((total, part) => total + part[name], 0);
  return {
    matched: sum('matched'),
    pending: sum('pending'),
    started: sum('started'),
    delivered: sum('delivered'),
    failedAgain: sum('failedAgain'),
    cancelled: sum('cancelled'),
    changed: sum('changed'),
    gone: sum('gone'),
    beingSent: sum('beingSent'),
    overLimit: sum('overLimit'),
    invalid: sum('invalid'),
    unreadable: sum('unreadable'),
    firstDelivered: sum('firstDelivered'),
    firstFailed: sum('firstFailed'),
    notRead: sum('notRead'),
  };
}

/**
 * The numbers while a part of the shards does not answer. How many tasks were found never changes, so those of the missing shards stand among
 * the pending ones; of an action that is done, which leaves none of them pending, among the started ones.
 * @param known   of the shards that answer
 * @param matched of all shards; null: it is not known
 */
export function countsWithAway(known: BulkCounts, matched: number | null, isDone: boolean): BulkCounts {
  const missing = Math.max(0, (matched ?? 0) - known.matched);
  return { ...known, matched: known.matched + missing, ...(isDone ? { started: known.started + missing } : { pending: known.pending + missing }) };
}

/** Redriven tasks whose run has not ended. Of the other actions nothing is in progress: what they start is done with. */
export function inProgress({ started, delivered, failedAgain, cancelled }: BulkCounts, action: string): number {
  return action === 'redrive' ? Math.max(0, started - delivered - failedAgain - cancelled) : 0;
}

/**
 * When nothing will be left to start, ms since the epoch, if it goes on as it does now.
 * @param sinceMs when its tasks were known, ms since the epoch
 * @returns undefined while that cannot be said
 */
export function estimateDoneAt({ matched, pending, overLimit }: BulkCounts, rate: number | null, sinceMs: number, now: number): number | undefined {
  if (rate !== null) return Math.round(now + (pending / rate) * 1_000);
  const through = matched - overLimit - pending;
  return through <= 0 || now <= sinceMs ? undefined : Math.round(now + (pending * (now - sinceMs)) / through);
}
