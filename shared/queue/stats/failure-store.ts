import { addToGroups, failureNexts, largestGroups, MAX_GROUPS, REST, type FailureCounts, type FailureNext } from '../../domain/stats/failure-groups.js';
import type { QueueClient } from '../engine/queue-client.js';
import type { StatsKeys } from '../fleet-keys.js';
import { DEAD, FAILURE_BUCKET_S } from './failure-scripts.js';

/** Groups that are added, and buckets that are read, in one script: each takes less than 10 ms. */
const GROUPS_AT_ONCE = 200;
const BUCKETS_AT_ONCE = 4;
/** While buckets are read, so many groups are told apart: in a day there may be 1,000 others in each bucket. */
const MOST_TOLD_APART = 20 * MAX_GROUPS;
const SEPARATOR = '\x1f';

export interface Failures {
  /** Beginning of the first bucket, milliseconds since the epoch by Redis' clock. */
  readonly since: number;
  /** When it was read, ms since the epoch by Redis' clock. */
  readonly now: number;
  /** See largestGroups. */
  readonly groups: ReadonlyMap<string, FailureCounts>;
}

/** The failed sends of all processes, in buckets of five minutes that are kept for a day. Every method fails when Redis fails. */
export class FailureStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: StatsKeys,
  ) {}

  /** @param written is told of the groups that Redis has taken */
  async add(groups: ReadonlyMap<string, FailureCounts>, written: (groups: readonly string[]) => void): Promise<void> {
    const all = [...groups];
    for (let from = 0; from < all.length; from += GROUPS_AT_ONCE) {
      const part = all.slice(from, from + GROUPS_AT_ONCE);
      const values = part.flatMap(([group, { byNext, dead, firstAt, lastAt, samples }]) => [group, byNext.retry, byNext.dead_letter, byNext.park, dead, Math.floor(firstAt), Math.floor(lastAt), samples.join(SEPARATOR)]);
      await this.client.runCommand('krsFailuresAdd', [this.keys.failures, MAX_GROUPS, ...values]);
      written(part.map(([group]) => group));
    }
  }

  /** @param spanMs back from now, at most a day */
  async read(spanMs: number): Promise<Failures> {
    const stepMs = FAILURE_BUCKET_S * 1_000;
    const groups = new Map<string, FailureCounts>();
    let now = 0;
    // The span may begin in the middle of a bucket.
    let left = Math.ceil(spanMs / stepMs) + 1;
    for (let newestS = 0; left > 0; left -= BUCKETS_AT_ONCE) {
      // It reads buckets of any kind: see activity-scripts.ts.
      const reply: unknown = await this.client.runCommand('krsActivityRead', [this.keys.failures, FAILURE_BUCKET_S, newestS, Math.min(BUCKETS_AT_ONCE, left)]);
      const [readAt, ...found] = reply as [number, ...(number | string[])[]];
      if (newestS === 0) {
        now = readAt;
        newestS = Math.floor(now / stepMs) * FAILURE_BUCKET_S;
      }
      newestS -= BUCKETS_AT_ONCE * FAILURE_BUCKET_S;
      const firstS = sinceOf(now, spanMs, stepMs) / 1_000;
      for (let at = 0; at + 1 < found.length; at += 2) {
        if (Number(found[at]) >= firstS) addBucket(groups, found[at + 1] as string[]);
      }
    }
    return { since: sinceOf(now, spanMs, stepMs), now, groups: largestGroups(groups, MAX_GROUPS) };
  }
}

function sinceOf(now: number, spanMs: number, stepMs: number): number {
  return Math.floor((now - spanMs) / stepMs) * stepMs;
}

/** @param fields names and values in turn */
function addBucket(groups: Map<string, FailureCounts>, fields: readonly string[]): void {
  const values = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) values.set(fields[at] ?? '', fields[at + 1] ?? '');
  for (const [name, number] of values) {
    if (!name.startsWith('g:')) continue;
    const [, first, last, ids = ''] = /^(\d+) (\d+) ([^]*)$/.exec(values.get(`${number}:t`) ?? '') ?? [];
    if (first === undefined || last === undefined) continue;
    const counts = Object.fromEntries(failureNexts.map((next) => [next, Number(values.get(`${number}:${next}`) ?? 0)])) as Record<FailureNext, number>;
    addToGroups(groups, name.slice(2), { byNext: counts, dead: Number(values.get(`${number}:${DEAD}`) ?? 0), firstAt: Number(first), lastAt: Number(last), samples: ids.split(SEPARATOR).filter((id) => id !== '') }, MOST_TOLD_APART);
  }
}

/** Whether every failure has a group of its own. */
export function isComplete({ groups }: Pick<Failures, 'groups'>): boolean {
  return !groups.has(REST);
}
