import type { LatenessCounts } from './lateness.js';

/**
 * What processes count.
 *
 * | name | what | by |
 * |---|---|---|
 * | created | runs that a submission began | the API |
 * | delivered | tasks that arrived at their destination | workers |
 * | failed | sends that failed and used an attempt, dead letters included | workers |
 * | deadLettered | tasks whose dead letter arrived | workers |
 */
export const activityNames = ['created', 'delivered', 'failed', 'deadLettered'] as const;
export type ActivityName = (typeof activityNames)[number];

/** What the fleet did in one span of time. */
export interface Activity {
  /** A missing one was recorded by no process. */
  readonly counts: Readonly<Partial<Record<ActivityName, number>>>;
  /** Due tasks at the end of the span; undefined when they were not counted. */
  readonly due: number | undefined;
  readonly lateness: LatenessCounts;
}

/** One field of a bucket: its name, and by how much it goes up. */
export type ActivityField = readonly [name: string, count: number];

const LATE = 'late:';
export const DUE_FIELD = 'due';

/** The field of a lateness bucket: 5 -> `late:5`. */
export function lateField(bucket: number): string {
  return `${LATE}${bucket}`;
}

/** @param fields names and values in turn, as HGETALL gives them; those of a later version are skipped */
export function readActivity(fields: readonly string[]): Activity {
  const counts: Partial<Record<ActivityName, number>> = {};
  const lateness = new Map<number, number>();
  let due: number | undefined;
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const field = fields[at] ?? '';
    const value = Number(fields[at + 1]);
    const name = activityNames.find((known) => known === field);
    if (name !== undefined) counts[name] = value;
    else if (field === DUE_FIELD) due = value;
    else if (field.startsWith(LATE)) lateness.set(Number(field.slice(LATE.length)), value);
  }
  return { counts, due, lateness };
}

/** The activity of one second or one minute. */
export interface ActivityBucket {
  /** Its beginning, milliseconds since the epoch. */
  readonly at: number;
  readonly activity: Activity;
}

/**
 * Mean a second over the last `spanMs`. Of the bucket that the beginning of the span falls into, the same part counts.
 *
 * 60 tasks in each of the last minutes, at half past one of them, over an hour: 3,600 / 3,600 s = 1.
 *
 * @param buckets of one length, in any order
 * @param stepMs  length of a bucket
 * @param now     milliseconds since the epoch
 */
export function ratePerSecond(buckets: readonly ActivityBucket[], name: ActivityName, stepMs: number, spanMs: number, now: number): number {
  const from = now - spanMs;
  const sum = buckets.reduce((total, { at, activity }) => {
    if (at > now) return total;
    const part = Math.min(1, Math.max(0, (at + stepMs - from) / stepMs));
    return total + (activity.counts[name] ?? 0) * part;
  }, 0);
  return (sum * 1_000) / spanMs;
}

/** The sends of all buckets that began within the span. */
export function latenessWithin(buckets: readonly ActivityBucket[], spanMs: number, now: number): LatenessCounts {
  const sums = new Map<number, number>();
  for (const { at, activity } of buckets) {
    if (at <= now - spanMs || at > now) continue;
    for (const [bucket, count] of activity.lateness) sums.set(bucket, (sums.get(bucket) ?? 0) + count);
  }
  return sums;
}

/** A sample that is this much younger or older than the one that is asked for will do, ms: a process may have been busy. */
const NEAR_MS = 5_000;

/**
 * How much the number of due tasks changed in each second of the last minute.
 * @param due now; the sample of a minute ago is among the buckets, or there is no answer
 */
export function backlogPerSecond(buckets: readonly ActivityBucket[], due: number, spanMs: number, now: number): number | undefined {
  const wanted = now - spanMs;
  const known = buckets.filter(({ at, activity }) => activity.due !== undefined && Math.abs(at - wanted) <= NEAR_MS);
  const [nearest] = known.sort((a, b) => Math.abs(a.at - wanted) - Math.abs(b.at - wanted));
  if (nearest?.activity.due === undefined) return undefined;
  return ((due - nearest.activity.due) * 1_000) / (now - nearest.at);
}
