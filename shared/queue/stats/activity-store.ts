import { readActivity, type ActivityBucket, type ActivityField } from '../../domain/stats/activity.js';
import type { QueueClient } from '../engine/queue-client.js';
import type { StatsKeys } from '../fleet-keys.js';

/** So many buckets are read at once: the script takes about 1 ms. */
const BUCKETS_AT_ONCE = 240;

export const BUCKET_MS = { minute: 60_000, second: 1_000 } as const;
export type BucketLength = keyof typeof BUCKET_MS;

/** What was read of the fleet's activity. */
export interface ActivityRead {
  /** The newest first; those in which nothing was recorded are missing. */
  readonly buckets: readonly ActivityBucket[];
  /** Redis' clock, ms since the epoch. The times of buckets are by this clock. */
  readonly now: number;
}

/** The answer to what a process has added. */
export interface ActivityAdded {
  /** It is the caller's turn to count the due tasks, and call `setDue`. */
  readonly isItsTurn: boolean;
  /** Redis' clock, ms since the epoch. */
  readonly now: number;
}

/**
 * What all processes together did, by minute for a day and by second for a minute. Each process adds to it once a second.
 * Every method fails when Redis fails.
 */
export class ActivityStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: StatsKeys,
  ) {}

  async add(fields: readonly ActivityField[]): Promise<ActivityAdded> {
    const reply: unknown = await this.client.runCommand('krsActivityAdd', [this.keys.minute, this.keys.second, this.keys.dueTurn, ...fields.flat()]);
    // The script's own answer: see activity-scripts.ts.
    const [turn, now] = reply as [number, number];
    return { isItsTurn: turn === 1, now };
  }

  async setDue(due: number): Promise<void> {
    await this.client.runCommand('krsActivityDue', [this.keys.minute, this.keys.second, due]);
  }

  /** @param count the present one is the first of them */
  async read(length: BucketLength, count: number): Promise<ActivityRead> {
    const stepS = BUCKET_MS[length] / 1_000;
    const buckets: ActivityBucket[] = [];
    let now = 0;
    for (let nth = 0; nth < count; nth += BUCKETS_AT_ONCE) {
      const newestS = nth === 0 ? 0 : Math.floor(now / 1_000 / stepS) * stepS - nth * stepS;
      const reply: unknown = await this.client.runCommand('krsActivityRead', [this.keys[length], stepS, newestS, Math.min(BUCKETS_AT_ONCE, count - nth)]);
      // The script's own answer: see activity-scripts.ts.
      const [readAt, ...found] = reply as [number, ...(number | string[])[]];
      if (nth === 0) now = readAt;
      for (let at = 0; at + 1 < found.length; at += 2) buckets.push({ at: Number(found[at]) * 1_000, activity: readActivity(found[at + 1] as string[]) });
    }
    return { buckets, now };
  }
}
