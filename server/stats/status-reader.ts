import { flowOfId } from '../../shared/domain/destinations/flow.js';
import { EVERYTHING, namesOver, pauseOver } from '../../shared/domain/flow/flow-policy.js';
import { backlogPerSecond, latenessWithin, ratePerSecond, type ActivityName } from '../../shared/domain/stats/activity.js';
import { latenessPercentile } from '../../shared/domain/stats/lateness.js';
import { unreadableForMs } from '../../shared/domain/task/outcome.js';
import { RequestError } from '../../shared/domain/errors.js';
import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { ActivityRead } from '../../shared/queue/stats/activity-store.js';
import type { FleetCounts } from '../../shared/queue/tasks/task-counts.js';
import type { RedisAccess } from '../../shared/redis/redis-access.js';
import { redisErrorCause } from '../../shared/redis/redis-error.js';
import type { PingedWrites } from '../../shared/queue/tasks/ping-writes.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { FleetSettings, FleetView } from '../flow/fleet-settings.js';
import { codeOf, heldByCode } from './held-codes.js';
import { judgeStatus } from './judge-status.js';
import { openCircuits } from './open-circuits.js';
import { toWireStatus } from './view.js';

/** An answer may be used for this long, ms: however many pages ask, Redis is asked once a second. */
const GOOD_FOR_MS = 1_000;
/** The answer comes within a second, whatever Redis does. A call of the queue ends by itself after 850 ms. */
const LIMIT_MS = 900;
/** Parts of it: a shard that is frozen must not take the counts of the others along. */
const SETTINGS_LIMIT_MS = 150;
const COUNTS_LIMIT_MS = 700;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** One more than the span, for the part of the oldest one, and some for a sample that is a little older. */
const SECONDS_READ = 67;
const MINUTES_READ = 61;

export interface StatusReaderOptions {
  readonly queue: Pick<TaskQueue, 'counts' | 'fleet' | 'pingWrite'>;
  readonly fleetSettings: Pick<FleetSettings, 'view' | 'lastKnown'>;
  readonly access: Pick<RedisAccess, 'keptOut' | 'lacks'>;
  readonly shards: number;
  readonly memory: Memory;
}

/** How full Redis is, as this process last saw it. */
export interface Memory {
  readonly isAboveMark: boolean;
  /** undefined: it has no limit, or has not told. */
  readonly usedRatio: number | undefined;
}

const UNKNOWN_MEMORY: Memory = { isAboveMark: false, usedRatio: undefined };

/** What was read of Redis within the limit; undefined: it did not tell. */
interface Read {
  readonly fleet: FleetView | undefined;
  readonly counted: FleetCounts | undefined;
  readonly snapshot: FlowSnapshot | undefined;
  readonly seconds: ActivityRead | undefined;
  readonly minutes: ActivityRead | undefined;
  readonly writes: Writes;
}

/** Makes the answer to GET /status. It never fails: what Redis does not tell within 0.9 s is null in it. */
export class StatusReader {
  #status: Promise<object> | undefined;
  #readAt = 0;

  constructor(private readonly options: StatusReaderOptions) {}

  /** @returns the answer, at most a second old */
  status(): Promise<object> {
    const now = performance.now();
    if (this.#status === undefined || now - this.#readAt >= GOOD_FOR_MS) {
      this.#readAt = now;
      this.#status = this.#read().then((read) => this.#print(read));
    }
    return this.#status;
  }

  async #read(): Promise<Read> {
    const { queue, fleetSettings } = this.options;
    const [fleet, counted, snapshot, seconds, minutes, writes] = await Promise.all([
      orNothing(fleetSettings.view()),
      orNothing(fleetSettings.lastKnown(SETTINGS_LIMIT_MS).then(({ release }) => queue.counts(unreadableForMs(release), COUNTS_LIMIT_MS))),
      orNothing(queue.fleet.withFlow((store) => store.snapshotOfAll())),
      orNothing(queue.fleet.withActivity((store) => store.read('second', SECONDS_READ))),
      orNothing(queue.fleet.withActivity((store) => store.read('minute', MINUTES_READ))),
      tryWrites(queue),
    ]);
    return { fleet, counted, snapshot, seconds, minutes, writes };
  }

  #print({ fleet, counted, snapshot, seconds, minutes, writes }: Read): object {
    const { shards, access } = this.options;
    const counts = counted?.counts;
    // While Redis is away, the last look at its memory says nothing of now.
    const memory = counts === undefined ? UNKNOWN_MEMORY : this.options.memory;
    const held = counts === undefined || snapshot === undefined || fleet === undefined ? undefined : heldByCode(counts.held, snapshot, fleet.circuit);
    const knowsAllHeld = counts?.isHeldExact === true && counted?.shardsAway.length === 0;
    const shardsAway = counted?.shardsAway ?? [];
    const verdict = judgeStatus({
      counts,
      held,
      // One that is asked by both may be back in between.
      shardsAway: counted === undefined ? [] : [...new Set([...shardsAway, ...writes.shardsAway])],
      shardsRefusing: writes.shardsRefusing,
      shards,
      workers: snapshot?.workers,
      openCircuits: snapshot === undefined || fleet === undefined ? [] : openCircuits(snapshot, knowsAllHeld ? counts.held : undefined, fleet.circuit),
      paused: pausedNames({ fleet, counted, snapshot }),
      takesWrites: writes.isTaken,
      refusal: writes.refusal,
      keptOut: access.keptOut,
      lacks: access.lacks,
      shardsUnreplicated: writes.shardsUnreplicated,
      isFleetAccepting: writes.isFleetAccepting,
      isPreviousRead: writes.isPreviousRead,
      isRedisAboveMark: memory.isAboveMark,
      usedRatio: memory.usedRatio,
    });
    const rate = (name: ActivityName) => ({
      lastMinute: seconds === undefined ? undefined : ratePerSecond(seconds.buckets, name, 1_000, MINUTE_MS, seconds.now),
      lastHour: minutes === undefined ? undefined : ratePerSecond(minutes.buckets, name, MINUTE_MS, HOUR_MS, minutes.now),
    });
    const lateness = seconds === undefined ? new Map<number, number>() : latenessWithin(seconds.buckets, MINUTE_MS, seconds.now);
    return toWireStatus({
      ...verdict,
      workers: snapshot?.workers,
      counts,
      held,
      rates: { created: rate('created'), delivered: rate('delivered'), failed: rate('failed'), deadLettered: rate('deadLettered') },
      lateness: { p50: latenessPercentile(lateness, 0.5), p99: latenessPercentile(lateness, 0.99) },
      backlogPerSecond: counts === undefined || seconds === undefined ? undefined : backlogPerSecond(seconds.buckets, counts.due, MINUTE_MS, seconds.now),
      // What the fleet has reported is up to 2 s older.
      slots: snapshot?.workers === undefined ? undefined : snapshot.workers === 0 ? 0 : fleet?.slots,
      usedRatio: memory.usedRatio,
      shardsAway,
    });
  }
}

/** The paused names that hold tasks. One that holds none is no trouble, but everything is always said. */
function pausedNames({ fleet, counted, snapshot }: Pick<Read, 'fleet' | 'counted' | 'snapshot'>): string[] {
  if (fleet === undefined || counted === undefined || snapshot === undefined) return [];
  if (pauseOver(snapshot.policies, [EVERYTHING]) !== undefined) return [EVERYTHING];
  const lists = counted.counts.held.filter((held) => codeOf(held, snapshot, fleet.circuit) === 'paused');
  const names = lists.map(({ waitingList }) => {
    const flow = flowOfId(waitingList);
    return pauseOver(snapshot.policies, namesOver(flow))?.name ?? flow.key;
  });
  return [...new Set(names)];
}

async function orNothing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await withinLimit(work, LIMIT_MS, () => new Error(`no answer within ${LIMIT_MS} ms`));
  } catch {
    // The answer says that it is missing. The reason is in the log already: see redis-watch.ts and refusal-log.ts.
    return undefined;
  }
}

interface Writes extends Pick<PingedWrites, 'shardsAway' | 'shardsRefusing' | 'shardsUnreplicated'> {
  /** A Redis that does not answer at all is told by everything else that is missing. */
  readonly isTaken: boolean;
  /** Why they are not taken, in Redis' own words. */
  readonly refusal?: string | undefined;
  /** One that does not answer is told by what it does not say. */
  readonly isFleetAccepting: boolean;
  readonly isPreviousRead: boolean;
}

async function tryWrites(queue: Pick<TaskQueue, 'pingWrite'>): Promise<Writes> {
  try {
    const { shardsAway, shardsRefusing, shardsUnreplicated, fleet, previous = 'ok' } = await withinLimit(queue.pingWrite(), LIMIT_MS, () => new Error(`no answer within ${LIMIT_MS} ms`));
    return { isTaken: true, shardsAway, shardsRefusing, shardsUnreplicated, isFleetAccepting: fleet === 'ok' || fleet === 'failed', isPreviousRead: previous === 'ok' };
  } catch (error) {
    const isTaken = !(error instanceof RequestError && error.code === 'redis_refused');
    return { isTaken, refusal: isTaken || !(error instanceof Error) || error.cause === undefined ? undefined : redisErrorCause(error.cause), shardsAway: [], shardsRefusing: [], shardsUnreplicated: [], isFleetAccepting: true, isPreviousRead: true };
  }
}
