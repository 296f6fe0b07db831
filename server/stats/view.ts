import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { hiddenName } from '../../shared/domain/destinations/http.js';
import type { ActivityBucket } from '../../shared/domain/stats/activity.js';
import { addToGroups, countOf, groupOf, largestGroups, reasonOf, type FailureCounts } from '../../shared/domain/stats/failure-groups.js';
import { latenessPercentile } from '../../shared/domain/stats/lateness.js';
import { isComplete, type Failures } from '../../shared/queue/stats/failure-store.js';
import type { TaskCounts } from '../../shared/queue/tasks/task-counts.js';
import { printTime } from '../http/print-time.js';
import type { HeldByCode } from './held-codes.js';
import type { Verdict } from './judge-status.js';

/** Counts in the form in which GET /stats and GET /status show them. */
export function toWireCounts(counts: TaskCounts, held: HeldByCode | undefined): object {
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
    held: held ?? null,
    is_held_exact: isHeldExact,
    scheduled,
    retrying,
    dead_lettering: deadLettering,
    cancelled,
    is_estimate: true,
  };
}

/** Mean a second; undefined: Redis has not told. */
interface Rate {
  readonly lastMinute: number | undefined;
  readonly lastHour: number | undefined;
}

/** All that GET /status tells; undefined: Redis has not told it. Lengths are in milliseconds. */
export interface Status extends Verdict {
  readonly workers: number | undefined;
  readonly counts: TaskCounts | undefined;
  readonly held: HeldByCode | undefined;
  readonly rates: Readonly<Record<'created' | 'delivered' | 'failed' | 'deadLettered', Rate>>;
  readonly lateness: { readonly p50: number | undefined; readonly p99: number | undefined };
  readonly backlogPerSecond: number | undefined;
  readonly slots: number | undefined;
  readonly usedRatio: number | undefined;
  readonly shardsAway: readonly string[];
}

export function toWireStatus({ status, reasons, workers, counts, held, rates, lateness, backlogPerSecond, slots, usedRatio, shardsAway }: Status): object {
  return {
    status,
    reasons,
    workers: workers ?? null,
    counts: counts === undefined ? null : toWireCounts(counts, held),
    rates: { created: toWireRate(rates.created), delivered: toWireRate(rates.delivered), failed: toWireRate(rates.failed), dead_lettered: toWireRate(rates.deadLettered) },
    lateness_ms: { p50: lateness.p50 ?? null, p99: lateness.p99 ?? null },
    backlog: { due: counts?.due ?? null, per_second: rounded(backlogPerSecond) },
    oldest_due_ms: counts?.oldestDueMs ?? null,
    load: counts === undefined || slots === undefined ? null : rounded(loadOf(counts.due + counts.sending, slots)),
    redis: { used_ratio: rounded(usedRatio) },
    is_complete: shardsAway.length === 0,
    shards_away: shardsAway,
  };
}

/** @returns work for each slot; without slots the number of tasks itself, so that it grows while nothing is there to do them */
export function loadOf(tasks: number, slots: number): number {
  return slots === 0 ? tasks : tasks / slots;
}

function toWireRate({ lastMinute, lastHour }: Rate): object {
  return { '1m': rounded(lastMinute), '1h': rounded(lastHour) };
}

/** Six places, so that one task an hour can be told from none. */
function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Number(value.toFixed(6));
}

/**
 * One point for each minute, the oldest first, also for those in which nothing was recorded.
 * @param buckets minutes, in any order
 * @param firstAt beginning of the first point, milliseconds since the epoch
 * @param lastAt  beginning of the last one, which is still being counted
 * @param missing where they could not be read now
 */
export function toWireHistory(buckets: readonly ActivityBucket[], firstAt: number, lastAt: number, stepMs: number, missing: MissingStats = NONE_MISSING): object {
  const byTime = new Map(buckets.map(({ at, activity }) => [at, activity]));
  const points = Array.from({ length: Math.floor((lastAt - firstAt) / stepMs) + 1 }, (_, nth) => {
    const at = firstAt + nth * stepMs;
    const { counts = {}, due, lateness = new Map<number, number>() } = byTime.get(at) ?? {};
    return {
      at: printTime(at),
      created: counts.created ?? null,
      delivered: counts.delivered ?? null,
      failed: counts.failed ?? null,
      dead_lettered: counts.deadLettered ?? null,
      due: due ?? null,
      lateness_ms: { p50: latenessPercentile(lateness, 0.5) ?? null, p99: latenessPercentile(lateness, 0.99) ?? null },
    };
  });
  return { step_ms: stepMs, points, is_complete: missing.isRead, ...toWireMissingStats(missing) };
}

/** What was counted cannot be read now: then it is shown as it was read last. */
export interface MissingStats {
  readonly isRead: boolean;
  /** When it was read last, ms since the epoch; undefined: now, or not yet. */
  readonly knownAt: number | undefined;
  readonly shardsAway: readonly string[];
}

const NONE_MISSING: MissingStats = { isRead: true, knownAt: undefined, shardsAway: [] };

function toWireMissingStats({ knownAt, shardsAway }: MissingStats): object {
  return { shards_away: shardsAway, known_at: knownAt === undefined ? null : printTime(knownAt) };
}

/** The groups with the most failures first. That of all others, which comes last, has nulls for what it does not tell. */
export function toWireFailures(failures: Pick<Failures, 'since' | 'groups'>, mask: PathMask, missing: MissingStats = NONE_MISSING): object {
  const groups = [...hiddenNow(failures, mask)].map(([group, counts]) => {
    const reason = reasonOf(group);
    return {
      destination_key: reason?.destinationKey ?? null,
      error_code: reason?.code ?? null,
      http_status: reason?.httpStatus ?? null,
      count: countOf(counts),
      first_failed_at: printTime(counts.firstAt),
      last_failed_at: printTime(counts.lastAt),
      samples: counts.samples,
      by_next: counts.byNext,
      by_phase: { delivery: countOf(counts) - counts.dead, dead_letter: counts.dead },
    };
  });
  return { since: printTime(failures.since), groups, is_complete: missing.isRead && isComplete(failures), ...toWireMissingStats(missing) };
}

/** A worker that has counted a failure may have hidden less than is hidden now. */
function hiddenNow({ groups }: Pick<Failures, 'groups'>, mask: PathMask): ReadonlyMap<string, FailureCounts> {
  const hidden = new Map<string, FailureCounts>();
  for (const [group, counts] of groups) {
    const reason = reasonOf(group);
    const name = reason === undefined ? group : groupOf({ ...reason, destinationKey: hiddenName(reason.destinationKey, mask) });
    addToGroups(hidden, name, counts, groups.size);
  }
  // Together, groups may have more failures than those that stood before them.
  return largestGroups(hidden, hidden.size);
}
