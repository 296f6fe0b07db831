import { dueAtOfScore, highestDueScore } from '../engine/due-score.js';
import type { Shard } from '../engine/shard.js';

/** How many tasks are in which state now. */
export interface TaskCounts {
  /** Tasks whose time has not come. */
  readonly waiting: number;
  /** Tasks whose time has come, and that wait for a free slot. */
  readonly due: number;
  readonly sending: number;
  /** Tasks that are kept as delivered or cancelled. */
  readonly delivered: number;
  readonly deadLettered: number;
  /** It may be one too high for each worker that died in the moment of parking. */
  readonly parked: number;
  /** Tasks among the others that a worker could not read lately. */
  readonly unreadable: number;
  /**
   * For how long the oldest due task is due that no worker has fetched, ms; undefined when there is none. A worker that
   * fetches moves all due tasks out of the delayed set, so this grows only while none fetches.
   */
  readonly oldestDueMs: number | undefined;
}

/**
 * Counts all shards together. Each is counted in one script, so the numbers of one shard belong together.
 * @param now             milliseconds since the epoch
 * @param unreadableForMs see outcome.ts
 */
export async function countTasks(shards: readonly Shard[], now: number, unreadableForMs: number): Promise<TaskCounts> {
  return (await Promise.all(shards.map((shard) => countShard(shard, now, unreadableForMs)))).reduce(add);
}

async function countShard({ client, keys }: Shard, now: number, unreadableForMs: number): Promise<TaskCounts> {
  const sets = [keys.delayed, keys.prioritized, keys.wait, keys.paused, keys.active, keys.completed, keys.failed, keys.parked, keys.unreadable];
  const reply: unknown = await client.runCommand('krsCount', [...sets, highestDueScore(now), now - unreadableForMs]);
  // The script's own answer: see count-script.ts.
  const [waiting, due, sending, delivered, failed, parked, unreadable, lowestScore] = reply as [number, number, number, number, number, number, number, string];
  const oldestDueAt = lowestScore === '' ? undefined : dueAtOfScore(lowestScore);
  return {
    waiting,
    due,
    sending,
    delivered,
    deadLettered: failed - parked,
    parked,
    unreadable,
    oldestDueMs: oldestDueAt === undefined || oldestDueAt > now ? undefined : now - oldestDueAt,
  };
}

function add(a: TaskCounts, b: TaskCounts): TaskCounts {
  return {
    waiting: a.waiting + b.waiting,
    due: a.due + b.due,
    sending: a.sending + b.sending,
    delivered: a.delivered + b.delivered,
    deadLettered: a.deadLettered + b.deadLettered,
    parked: a.parked + b.parked,
    unreadable: a.unreadable + b.unreadable,
    oldestDueMs: a.oldestDueMs === undefined || b.oldestDueMs === undefined ? (a.oldestDueMs ?? b.oldestDueMs) : Math.max(a.oldestDueMs, b.oldestDueMs),
  };
}
