import type { TaskCounts } from '../../shared/queue/tasks/task-counts.js';
import { visibleText } from '../../shared/logging/visible-text.js';
import type { HeldByCode } from './held-codes.js';

/** What is wrong. Clients must ignore codes that they do not know. */
export const reasonCodes = ['redis_unavailable', 'no_worker', 'shard_away', 'redis_memory', 'late', 'circuit_open', 'paused', 'parked', 'unreadable'] as const;
export type ReasonCode = (typeof reasonCodes)[number];

export interface Reason {
  readonly code: ReasonCode;
  /** A sentence for the person who is woken by it. */
  readonly message: string;
}

/** Everything that the verdict is about. undefined: Redis has not told it. */
export interface StatusFacts {
  readonly counts: TaskCounts | undefined;
  readonly held: HeldByCode | undefined;
  /** They do not answer. */
  readonly shardsAway: readonly string[];
  /** They answer, and take no writes. */
  readonly shardsRefusing: readonly string[];
  /** How many shards there are. */
  readonly shards: number;
  readonly workers: number | undefined;
  /** Destinations whose circuit is not closed. */
  readonly openCircuits: readonly string[];
  /** Names that an operator has paused and that hold tasks, or `*` for everything. */
  readonly paused: readonly string[];
  /** false: Redis answers, and takes no writes. */
  readonly takesWrites: boolean;
  /** Why, in Redis' own words. */
  readonly refusal?: string | undefined;
  /** Why no connection comes about, although Redis is there. */
  readonly keptOut?: string | undefined;
  /** Rights that the user of this API lacks, in words. */
  readonly lacks?: string | undefined;
  /** Shards whose master has fewer replicas in step than REDIS_MIN_REPLICAS. */
  readonly shardsUnreplicated: readonly string[];
  /** false: the part of a Cluster with what concerns the whole fleet answers, and takes no writes, or has fewer replicas in step than REDIS_MIN_REPLICAS. */
  readonly isFleetAccepting: boolean;
  /** false: the store that the service moves away from cannot be read. */
  readonly isPreviousRead: boolean;
  readonly isRedisAboveMark: boolean;
  /** Share of Redis' memory; undefined: it has no limit, or has not told. */
  readonly usedRatio: number | undefined;
}

/** ok: nothing for a person to do. degraded: something is wrong, and tasks are delivered. down: no task is. */
export interface Verdict {
  readonly status: 'ok' | 'degraded' | 'down';
  /** Empty when the status is ok. The worst one comes first. */
  readonly reasons: readonly Reason[];
}

/** A worker fetches what is due within milliseconds, so this long means that something holds it up, ms. */
const LATE_MS = 5_000;
/** Names in one sentence. */
const SHOWN_NAMES = 3;

/** The one decision about how the service is. */
export function judgeStatus(facts: StatusFacts): Verdict {
  const reasons = reasonCodes.flatMap((code) => {
    const message = rules[code](facts);
    // The sentences name flow_keys, which clients choose.
    return message === undefined ? [] : [{ code, message: visibleText(message) }];
  });
  if (reasons.length === 0) return { status: 'ok', reasons };
  return { status: reasons.some(({ code }) => isDownFor(code, facts)) ? 'down' : 'degraded', reasons };
}

function isDownFor(code: ReasonCode, { counts, takesWrites }: StatusFacts): boolean {
  if (code === 'no_worker') return true;
  return code === 'redis_unavailable' && (counts === undefined || !takesWrites);
}

/** One row for each code: its sentence, or undefined when all is well. */
const rules = {
  redis_unavailable: ({ counts, workers, takesWrites, refusal, keptOut, lacks, shards, shardsAway, shardsUnreplicated, isFleetAccepting, isPreviousRead }) => {
    if (!takesWrites) return `Redis answers, and ${counts === undefined ? 'refuses what it is asked' : 'takes no writes'}${refusal === undefined ? '' : ` (${refusal})`}: no task is taken, and none is sent`;
    if (counts === undefined && keptOut !== undefined) return `Redis does not let us in (${keptOut}): no task is taken, and none is sent. What was accepted is kept by Redis`;
    if (lacks !== undefined) return `Redis does not give us all rights (${lacks}): what needs them is refused, and deliveries may stand still`;
    if (counts === undefined) return 'Redis does not answer: no task is taken, and none is sent. What was accepted is kept by Redis';
    if (!isPreviousRead) return 'the old Redis (PREVIOUS_REDIS_ADDR) cannot be read: no task is taken, because it may know the id. What was accepted before is sent';
    if (shardsUnreplicated.length > 0) {
      const where = shardsUnreplicated.length + shardsAway.length >= shards ? 'Redis has' : `${shardsUnreplicated.length} of ${shards} shards (${namesIn(shardsUnreplicated)}) have`;
      return `${where} fewer replicas in step than REDIS_MIN_REPLICAS: new tasks and changes are refused there (503 redis_unavailable), and deliveries go on`;
    }
    if (!isFleetAccepting) return `the part of Redis that holds keys, limits and circuits takes no writes, or has fewer replicas in step than REDIS_MIN_REPLICAS: changes of them are refused${workers === undefined ? ', and workers cannot report' : ''}`;
    if (workers === undefined) return 'the part of Redis that holds limits, circuits and the reports of workers does not answer, takes no writes, or was away until a moment ago: how many workers run is not known';
    return undefined;
  },
  // Workers that lack a right may be unable to report.
  no_worker: ({ workers, counts, lacks }) => (workers === 0 && lacks === undefined ? `no worker has reported within 5 s: nothing is sent, and ${tasks(counts?.due ?? 0)} due` : undefined),
  shard_away: ({ counts, shardsAway, shardsRefusing, shards }) => {
    // With all of them away Redis is away.
    if (counts === undefined) return undefined;
    const sentences = [
      ...(shardsAway.length === 0 ? [] : [`${shardsAway.length} of ${shards} shards do not answer (${namesIn(shardsAway)}): their tasks wait, and are not in the counts`]),
      ...(shardsRefusing.length === 0 ? [] : [`${shardsRefusing.length} of ${shards} shards take no writes (${namesIn(shardsRefusing)}): no task is taken there, and none is sent`]),
    ];
    return sentences.length === 0 ? undefined : sentences.join('; ');
  },
  redis_memory: ({ isRedisAboveMark, usedRatio }) =>
    isRedisAboveMark ? `Redis has used ${usedRatio === undefined ? 'too much' : `${Math.round(usedRatio * 100)} %`} of its memory: new tasks are refused (503 redis_full), and deliveries go on` : undefined,
  late: ({ counts, held, workers }) => {
    const lateMs = counts?.oldestDueMs ?? 0;
    return lateMs < LATE_MS ? undefined : `the oldest due task has waited for ${printSpan(lateMs)}${whereTheyStand(counts?.due ?? 0, held, workers)}`;
  },
  circuit_open: ({ openCircuits, held }) =>
    openCircuits.length === 0 ? undefined : `${openCircuits.length === 1 ? '1 destination has' : `${openCircuits.length} destinations have`} an open circuit (${namesIn(openCircuits)})${heldBack(held?.circuit_open)}`,
  paused: ({ paused, held }) => {
    if (paused.length === 0) return undefined;
    const what = paused.includes('*') ? 'every destination is' : (paused.length === 1 ? '1 destination is' : `${paused.length} destinations are`);
    return `${what} paused by an operator${paused.includes('*') ? '' : ` (${namesIn(paused)})`}${heldBack(held?.paused)}`;
  },
  parked: ({ counts }) => ((counts?.parked ?? 0) > 0 ? `${tasks(counts?.parked ?? 0)} parked: they wait for a person, and are the only copies left` : undefined),
  unreadable: ({ counts }) => ((counts?.unreadable ?? 0) > 0 ? `workers cannot read ${counts?.unreadable === 1 ? '1 task' : `${counts?.unreadable ?? 0} tasks`}, which a newer version wrote: update the workers` : undefined),
} as const satisfies Record<ReasonCode, (facts: StatusFacts) => string | undefined>;

/** `: 3 wait for a slot, 1 is held back (circuit open)`, or nothing. Without a worker there are no slots. */
function whereTheyStand(due: number, held: HeldByCode | undefined, workers: number | undefined): string {
  const awaited = workers === 0 ? 'a worker' : 'a slot';
  const places = [[due, `waits for ${awaited}`, `wait for ${awaited}`] as const, ...Object.entries(held ?? {}).map(([code, count]) => [count, ...['is', 'are'].map((verb) => `${verb} held back (${code.replaceAll('_', ' ')})`)] as const)];
  const told = places.flatMap(([count, one, many]) => (count === 0 ? [] : [`${count} ${count === 1 ? one : many}`]));
  return told.length === 0 ? '' : `: ${told.join(', ')}`;
}

/** Without a number where none is known to be held for this reason: while no worker runs, that one counts. */
function heldBack(count = 0): string {
  return count === 0 ? '' : `: ${tasks(count)} held back`;
}

/** 1 -> `1 task is`, 3 -> `3 tasks are`. */
function tasks(count: number): string {
  return count === 1 ? '1 task is' : `${count} tasks are`;
}

function namesIn(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES).join(', ');
  return names.length > SHOWN_NAMES ? `${shown} and ${names.length - SHOWN_NAMES} more` : shown;
}

/** 24_300 -> `24 s`, 150_000 -> `2 min 30 s`, 7_500_000 -> `2 h 5 min`, 90_000_000 -> `1 d 1 h`. */
export function printSpan(ms: number): string {
  const parts = [[Math.floor(ms / 86_400_000), 'd'], [Math.floor(ms / 3_600_000) % 24, 'h'], [Math.floor(ms / 60_000) % 60, 'min'], [Math.floor(ms / 1_000) % 60, 's']] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0 s';
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(' ');
}
