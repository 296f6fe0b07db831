import type { PendingCall } from './pending-calls.js';

/** When a worker's loop is taken to hang. Milliseconds. */
export interface StandstillTimes {
  /** Between two looks. */
  readonly lookMs: number;
  /** What a call may take beyond the time for which it blocks. */
  readonly callMs: number;
  /** How long a task may be due, and the worker idle. */
  readonly dueMs: number;
  /** How long Redis must not have refused anything. */
  readonly quietMs: number;
  /** The least time between two steps against a standstill. */
  readonly stepMs: number;
}

export const standstillTimes: StandstillTimes = { lookMs: 2_000, callMs: 5_000, dueMs: 30_000, quietMs: 30_000, stepMs: 60_000 };

/** After this many rebuilds that did not help, the process has to end: a new one may find what this one cannot. */
const MAX_REBUILDS_IN_VAIN = 2;

/** What Redis says about a shard. */
export interface ShardInRedis {
  /** Redis' clock, milliseconds since the epoch. */
  readonly now: number;
  /** When the oldest task was due that no worker has moved on, milliseconds since the epoch. */
  readonly oldestDueAt: number | undefined;
  /** The job that the next fetch would bring. */
  readonly next: string | undefined;
  /** The queue is paused or limited by BullMQ's own means, so a fetch brings nothing. */
  readonly isHeld: boolean;
}

/** One look at the worker of a shard. */
export interface ShardLook {
  /** Monotonic milliseconds. */
  readonly now: number;
  /** The clock of this process, milliseconds since the epoch. By it the worker decides what is due. */
  readonly clock: number;
  readonly isBraking: boolean;
  /** When Redis refused something last, monotonic milliseconds; -Infinity for never. */
  readonly refusedAt: number;
  readonly hasFreeSlot: boolean;
  /** Jobs that the worker has taken since it was built. */
  readonly taken: number;
  /** Waits of the worker that have ended since it was built. */
  readonly waitsEnded: number;
  readonly oldestCall: PendingCall | undefined;
  /** undefined: Redis was not asked, or did not answer. */
  readonly redis: ShardInRedis | undefined;
}

/** What is remembered from look to look. Times are monotonic milliseconds unless something else is said. */
export interface ShardMemory {
  readonly lookedAt: number;
  readonly taken: number;
  readonly waitsEnded: number;
  /** Since when the worker could have taken a task, and took none. */
  readonly idleSince: number;
  /** A call that had been pending for too long at the last look. */
  readonly suspect: PendingCall | undefined;
  readonly next: string | undefined;
  /** Since when that job has been the next one, by Redis' clock. */
  readonly nextSince: number;
  readonly lastStep: { readonly why: Why; readonly at: number } | undefined;
  readonly inVain: number;
}

type Why = 'call' | 'due';

export type Verdict =
  | { readonly kind: 'fine' }
  /** @property reason for the log */
  | { readonly kind: 'rebuild' | 'give_up'; readonly reason: string };

const FINE: Verdict = { kind: 'fine' };

export function firstMemory(now: number): ShardMemory {
  return { lookedAt: now, taken: 0, waitsEnded: 0, idleSince: now, suspect: undefined, next: undefined, nextSince: 0, lastStep: undefined, inVain: 0 };
}

/** The memory for a worker that has just been built in place of another one. */
export function afterRebuild(memory: ShardMemory, now: number): ShardMemory {
  return { ...memory, taken: 0, waitsEnded: 0, idleSince: now, suspect: undefined };
}

/** Whether Redis has to be asked: only then can a standstill be found. A busy worker costs no call. */
export function isSuspicious(memory: ShardMemory, look: Omit<ShardLook, 'redis'>, times: StandstillTimes): boolean {
  if (!isTrusted(memory, look, times)) return false;
  return isOverdue(look.oldestCall, look.now, times) || (look.hasFreeSlot && look.taken === memory.taken && look.now - memory.idleSince >= times.dueMs);
}

/**
 * Whether the worker of a shard hangs. It hangs when a call of its loop has been pending for `callMs` longer than it
 * blocks, or when a task has been due for `dueMs` while the worker had free slots and took none. Both count only while
 * Redis answers, the worker is not braked, and Redis has refused nothing for `quietMs`.
 *
 * Such a worker is built anew, at most once in `stepMs`. When that did not help twice, the process has to end.
 */
export function judgeShard(memory: ShardMemory, look: ShardLook, times: StandstillTimes): { readonly verdict: Verdict; readonly memory: ShardMemory } {
  const { now, redis } = look;
  const isMoving = look.taken !== memory.taken;
  // Redis is asked whenever something is suspicious. No answer says that Redis is away, and nothing about the worker.
  const isTrustworthy = isTrusted(memory, look, times) && (redis !== undefined || !isSuspicious(memory, look, times));
  const next = nextJob(memory, redis);
  const dueMs = redis === undefined ? 0 : dueForMs(next, redis, look.clock);
  const isDueLong = dueMs >= times.dueMs;
  const { lastStep } = memory;
  const hasHelped = lastStep !== undefined && (isMoving || (lastStep.why === 'call' ? look.waitsEnded !== memory.waitsEnded : redis !== undefined && !isDueLong));
  const seen: ShardMemory = {
    lookedAt: now,
    taken: look.taken,
    waitsEnded: look.waitsEnded,
    idleSince: isTrustworthy && look.hasFreeSlot && !isMoving && redis?.isHeld !== true ? memory.idleSince : now,
    suspect: isTrustworthy && isOverdue(look.oldestCall, now, times) ? look.oldestCall : undefined,
    ...next,
    lastStep,
    inVain: hasHelped ? 0 : memory.inVain,
  };
  if (!isTrustworthy || redis === undefined) return { verdict: FINE, memory: seen };
  // A call counts when two looks in a row have seen it: after a stall of this process its answer is there already.
  const why: Why | undefined = seen.suspect !== undefined && seen.suspect === memory.suspect ? 'call' : isDueLong && now - seen.idleSince >= times.dueMs ? 'due' : undefined;
  if (why === undefined || (lastStep !== undefined && now - lastStep.at < times.stepMs)) return { verdict: FINE, memory: seen };
  const reason = why === 'call' ? printCall(seen.suspect, now) : `a task has been due for ${seconds(dueMs)} while slots are free`;
  if (seen.inVain >= MAX_REBUILDS_IN_VAIN) return { verdict: { kind: 'give_up', reason }, memory: seen };
  return { verdict: { kind: 'rebuild', reason }, memory: { ...seen, lastStep: { why, at: now }, inVain: seen.inVain + 1 } };
}

/** A look that comes late says that this process stood still, not the shard. */
function isTrusted(memory: ShardMemory, { now, isBraking, refusedAt }: Omit<ShardLook, 'redis'>, { lookMs, quietMs }: StandstillTimes): boolean {
  return !isBraking && now - refusedAt >= quietMs && now - memory.lookedAt < 2 * lookMs;
}

function isOverdue(call: PendingCall | undefined, now: number, { callMs }: StandstillTimes): boolean {
  return call !== undefined && now - call.since >= call.blockMs + callMs;
}

function nextJob(memory: ShardMemory, redis: ShardInRedis | undefined): Pick<ShardMemory, 'next' | 'nextSince'> {
  if (redis === undefined) return { next: undefined, nextSince: 0 };
  return redis.next === memory.next ? { next: memory.next, nextSince: memory.nextSince } : { next: redis.next, nextSince: redis.now };
}

/** For how long a task has been due. A worker whose clock is behind does not know that it is, and does not hang. */
function dueForMs({ next, nextSince }: Pick<ShardMemory, 'next' | 'nextSince'>, { now, oldestDueAt }: ShardInRedis, clock: number): number {
  return Math.max(oldestDueAt === undefined ? 0 : Math.min(now, clock) - oldestDueAt, next === undefined ? 0 : now - nextSince);
}

function printCall(call: PendingCall | undefined, now: number): string {
  return call === undefined ? '' : `a ${call.kind} has been pending for ${seconds(now - call.since)}`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
