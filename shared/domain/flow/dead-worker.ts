/**
 * Is a worker dead, so that its tasks may be taken from it before their locks lapse? A worker that is taken for dead and lives
 * sends its tasks a second time. So its silence alone is not enough: Redis may have been away, or another master may answer
 * now, and then every worker was silent.
 */

/** Redis as one process has seen it without a break. */
export interface RedisSpell {
  /** Since when it has answered in time, without a break, ms since the epoch by Redis' clock. */
  readonly since: number;
  /** The run ids of its masters, sorted: each start of a Redis has a new one. `3f2...,a81...` */
  readonly masters: string;
}

/** What a worker wrote down about itself when it was last heard of. */
export interface WorkerLife {
  /** When it first saw Redis, ms since the epoch by Redis' clock. It has held no task before. */
  readonly startedAt: number;
  readonly spell: RedisSpell;
  /** Its LOCK_DURATION, ms. Absent: it is of a version that does not write it. */
  readonly lockMs?: number;
}

export interface SilentWorker {
  readonly name: string;
  /** Its last report, ms since the epoch by Redis' clock. */
  readonly reportedAt: number;
  /** undefined: it is of a version that writes none. */
  readonly life: WorkerLife | undefined;
}

/** The longest LOCK_DURATION that there may be, ms. */
const LONGEST_LOCK_MS = 3_600_000;

/** A worker counts as silent after this time without a report, ms. Workers report each second. */
export const SILENT_AFTER_MS = 4_000;

/**
 * Was it the worker that fell silent, and not Redis? All of this must hold:
 *
 * - The same masters answer as when it was last heard of.
 * - The witness has seen Redis without a break since before its last report. So its next reports would have arrived.
 * - Before that, the worker itself has seen Redis without a break, for as long as a lock lasts, or for its whole life. So
 *   there was no failover that may have lost its locks, or those of others that it has now.
 *
 * It does not tell a dead worker from one that is stopped, busy or cut off: those still have their connections.
 *
 * @param witness what the asking process has seen of Redis
 * @param now     ms since the epoch by Redis' clock
 * @param lockMs  LOCK_DURATION of the asking process; undefined: it is an API, which has none. The longer one of the two workers counts
 */
export function isSilentByItself({ reportedAt, life }: SilentWorker, witness: RedisSpell, now: number, lockMs: number | undefined): boolean {
  if (life === undefined || now - reportedAt < SILENT_AFTER_MS) return false;
  if (life.spell.masters !== witness.masters || witness.since > reportedAt) return false;
  const since = Math.min(life.spell.since, witness.since);
  return since <= life.startedAt || now - since >= Math.max(life.lockMs ?? lockMs ?? LONGEST_LOCK_MS, lockMs ?? 0);
}

/** An answer of Redis to a regular question. */
export interface RedisAnswer {
  /** Redis' clock, ms since the epoch. */
  readonly redisNow: number;
  readonly masters: string;
  /** Monotonic milliseconds. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** Longer without an answer is a break, ms. Questions are asked twice a second. */
const LONGEST_PAUSE_MS = 2_000;
/** Redis' clock and the monotonic one differ by more between two answers: it was set, or another machine answers. */
const CLOCK_STEP_MS = 1_000;

/**
 * The spell after one more answer.
 * @param before the answer before; undefined: this is the first, or a question has failed since
 */
export function spellAfter(spell: RedisSpell | undefined, before: RedisAnswer | undefined, answer: RedisAnswer): RedisSpell {
  const { redisNow, masters, askedAt, answeredAt } = answer;
  const fresh = { since: redisNow, masters };
  if (spell === undefined || before === undefined || spell.masters !== masters) return fresh;
  const passedMs = answeredAt - before.answeredAt;
  const isBreak = passedMs > LONGEST_PAUSE_MS || answeredAt - askedAt > LONGEST_PAUSE_MS;
  const isStep = Math.abs(redisNow - before.redisNow - passedMs) > CLOCK_STEP_MS;
  return isBreak || isStep ? fresh : spell;
}

/** `1764379800000 1764379700000 3f2...,a81...`: started, since, masters. Older versions read nothing longer, so LOCK_DURATION has a key of its own. */
export function printLife({ startedAt, spell }: WorkerLife): string {
  return `${startedAt} ${spell.since} ${spell.masters}`;
}

/**
 * @param text     as it was printed; what a later version adds at the end is left out
 * @param lockTime LOCK_DURATION, ms; '' of a version that does not tell it
 * @returns undefined for a text that no version has written
 */
export function readLife(text: string, lockTime = ''): WorkerLife | undefined {
  const [, startedAt, since, masters] = /^(\d+) (\d+) ([0-9a-f,]+)(?: .*)?$/.exec(text) ?? [];
  if (masters === undefined) return undefined;
  return { startedAt: Number(startedAt), spell: { since: Number(since), masters }, ...(/^\d+$/.test(lockTime) ? { lockMs: Number(lockTime) } : {}) };
}
