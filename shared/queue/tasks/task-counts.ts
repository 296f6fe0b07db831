import { highestDueScore } from '../engine/due-score.js';
import type { Shard } from '../engine/shard.js';
import { askShards, type AskingShards } from './ask-shards.js';

/** At most so many waiting lists of a shard are looked at: 100,000 would keep Redis busy for half a second. */
const MOST_LISTS = 10_000;
/** So many at once: the script takes about 2 ms, and a send waits meanwhile. */
const LISTS_AT_ONCE = 250;
/** Of so many waiting lists, the oldest ones, the head is asked since when it is due. */
const LISTS_ASKED_FOR_DUE = 1_000;
/** How many members of all shards together an estimate is made from. */
const SAMPLE = 1_000;
/** With many shards each of them still gives so many. */
const LEAST_SAMPLE = 100;
/** Jobs of a sample that one script looks at: 1,000 of them kept Redis busy for 22 ms, and a send waits meanwhile. */
const SAMPLED_AT_ONCE = 100;

/** How many tasks are in which state now, in the shards that have answered. */
export interface TaskCounts {
  /** Tasks whose time has not come, and those that flow control has put back: see `held`. */
  readonly waiting: number;
  /** Tasks whose time has come, and that wait for a free slot. */
  readonly due: number;
  readonly sending: number;
  /** Tasks that are kept as delivered or cancelled. */
  readonly ended: number;
  readonly deadLettered: number;
  /** It may be one too high for each worker that died in the moment of parking. */
  readonly parked: number;
  /** Tasks among the others that a worker could not read lately. */
  readonly unreadable: number;
  /** Estimates, whole numbers. The first three are the waiting and due ones by another rule. */
  readonly scheduled: number;
  readonly retrying: number;
  readonly deadLettering: number;
  /** An estimate: how many of `ended` were cancelled. */
  readonly cancelled: number;
  /** The waiting lists that are not empty, each once, whatever the number of shards that have it. */
  readonly held: readonly HeldTasks[];
  /** false: a shard has more than 10,000 waiting lists, and the rest of them was not looked at. */
  readonly isHeldExact: boolean;
  /**
   * For how long the oldest task is due that is not being sent, ms: wherever it stands, also if flow control has put it back.
   * undefined when there is none.
   */
  readonly oldestDueMs: number | undefined;
}

/** Those of them that cost the same however many tasks there are, but for the waiting lists, whose number is bounded. */
export type PlainCounts = Omit<TaskCounts, 'scheduled' | 'retrying' | 'deadLettering' | 'cancelled'>;

/** The tasks in the waiting lists of one flow. */
export interface HeldTasks {
  /** The id of its flow: see flowOfId in flow.ts. */
  readonly waitingList: string;
  readonly length: number;
  /** Why the one that waits longest was put back: a DeferralReason, or '' where that is not known. */
  readonly reason: string;
}

export interface FleetCounts {
  readonly counts: TaskCounts;
  /** Queues of the shards that have not answered, such as `deliver-3`: their tasks are not in the counts. */
  readonly shardsAway: readonly string[];
}

export interface PlainFleetCounts {
  /** When a task counts as unreadable is a setting, which was not asked for. */
  readonly counts: Omit<PlainCounts, 'unreadable'>;
  /** See FleetCounts. */
  readonly shardsAway: readonly string[];
}

/**
 * Counts all shards together. The numbers come from several scripts, so they may differ by what happened meanwhile.
 * @param now             milliseconds since the epoch
 * @param unreadableForMs see outcome.ts
 * @throws the error of the first shard when no shard answers within the limit
 */
export async function countTasks(shards: readonly Shard[], now: number, unreadableForMs: number, asking: AskingShards): Promise<FleetCounts> {
  const sample = Math.max(LEAST_SAMPLE, Math.ceil(SAMPLE / shards.length));
  const { answers, shardsAway } = await askShards(shards, (shard) => countShard(shard, now, unreadableForMs, sample), asking);
  return { counts: answers.reduce(add), shardsAway };
}

/** Counts all shards together, without what has to be estimated: for a scrape, which comes every few seconds for ever. See countTasks. */
export async function countPlainly(shards: readonly Shard[], now: number, asking: AskingShards): Promise<PlainFleetCounts> {
  const { answers, shardsAway } = await askShards(shards, (shard) => countShardPlainly(shard, now, 0), asking);
  return { counts: answers.reduce(addPlain), shardsAway };
}

/** The number of due tasks in all shards, without those that flow control holds. @throws when one of them does not answer */
export async function countDue(shards: readonly Shard[], now: number): Promise<number> {
  const counts = await Promise.all(shards.map((shard) => countPlaces(shard, now, 0)));
  return counts.reduce((sum, { due }) => sum + due, 0);
}

async function countShard(shard: Shard, now: number, unreadableForMs: number, sample: number): Promise<TaskCounts> {
  const [plain, states, cancelled] = await Promise.all([countShardPlainly(shard, now, unreadableForMs), estimateStates(shard, sample), estimateCancelled(shard, sample)]);
  return { ...plain, ...states, cancelled };
}

async function countShardPlainly(shard: Shard, now: number, unreadableForMs: number): Promise<PlainCounts> {
  const [{ oldestDueAt, ...places }, held] = await Promise.all([countPlaces(shard, now, unreadableForMs), readHeld(shard)]);
  const dueAt = Math.min(oldestDueAt, held.oldestDueAt);
  return { ...places, held: held.held, isHeldExact: held.isExact, oldestDueMs: dueAt > now ? undefined : now - dueAt };
}

type Places = Pick<TaskCounts, 'waiting' | 'due' | 'sending' | 'ended' | 'deadLettered' | 'parked' | 'unreadable'> & OldestDue;

interface OldestDue {
  /** Milliseconds since the epoch; Infinity when there is none. */
  readonly oldestDueAt: number;
}

async function countPlaces({ client, keys }: Shard, now: number, unreadableForMs: number): Promise<Places> {
  const sets = [keys.delayed, keys.prioritized, keys.wait, keys.paused, keys.active, keys.completed, keys.failed, keys.parked, keys.unreadable];
  const reply: unknown = await client.runCommand('krsCount', [...sets, highestDueScore(now), now - unreadableForMs, keys.base]);
  // The script's own answer: see count-script.ts.
  const [waiting, due, sending, ended, failed, parked, unreadable, oldestDueAt] = reply as [number, number, number, number, number, number, number, number];
  return { waiting, due, sending, ended, deadLettered: failed - parked, parked, unreadable, oldestDueAt: dueOrNever(oldestDueAt) };
}

async function readHeld({ client, keys }: Shard): Promise<{ readonly held: readonly HeldTasks[]; readonly isExact: boolean } & OldestDue> {
  // A list that moves up while others go would be read twice.
  const byName = new Map<string, HeldTasks>();
  let oldest = Infinity;
  let lists = 1;
  for (let from = 0; from < Math.min(lists, MOST_LISTS); from += LISTS_AT_ONCE) {
    const reply: unknown = await client.runCommand('krsHeld', [keys.waitingLists, keys.delayed, from, from + LISTS_AT_ONCE - 1, keys.waitingList(''), keys.base, from < LISTS_ASKED_FOR_DUE ? 1 : 0]);
    // The script's own answer: see held-script.ts.
    const [all, oldestDueAt, ...found] = reply as [number, number, ...(string | number)[]];
    lists = all;
    oldest = Math.min(oldest, dueOrNever(oldestDueAt));
    for (let at = 0; at + 2 < found.length; at += 3) byName.set(String(found[at]), { waitingList: String(found[at]), length: Number(found[at + 1]), reason: String(found[at + 2]) });
  }
  return { held: [...byName.values()], isExact: lists <= MOST_LISTS, oldestDueAt: oldest };
}

async function estimateStates(shard: Shard, sample: number): Promise<Pick<TaskCounts, 'scheduled' | 'retrying' | 'deadLettering'>> {
  const { keys } = shard;
  let all = 0;
  let retrying = 0;
  let deadLettering = 0;
  for (const { length, ids } of await drawSample(shard, [keys.delayed, keys.prioritized, keys.wait], sample)) {
    let ofRetrying = 0;
    let ofDead = 0;
    for (const reply of await askInSteps(shard, 'krsCountStates', ids)) {
      // The script's own answer: see sample-scripts.ts.
      const [stepOfRetrying, stepOfDead] = reply as [number, number];
      ofRetrying += stepOfRetrying;
      ofDead += stepOfDead;
    }
    all += length;
    retrying += shareOf(length, ofRetrying, ids.length);
    deadLettering += shareOf(length, ofDead, ids.length);
  }
  return { scheduled: all - Math.round(retrying) - Math.round(deadLettering), retrying: Math.round(retrying), deadLettering: Math.round(deadLettering) };
}

async function estimateCancelled(shard: Shard, sample: number): Promise<number> {
  let cancelled = 0;
  for (const { length, ids } of await drawSample(shard, [shard.keys.completed], sample)) {
    const counts = await askInSteps(shard, 'krsCountCancelled', ids);
    cancelled += shareOf(length, counts.reduce<number>((sum, count) => sum + Number(count), 0), ids.length);
  }
  return Math.round(cancelled);
}

/** Some members of a set or list, and how many it has. */
interface Sample {
  readonly length: number;
  readonly ids: readonly string[];
}

async function drawSample({ client }: Shard, from: readonly string[], sample: number): Promise<readonly Sample[]> {
  const reply: unknown = await client.runCommand('krsDrawSample', [from.length, ...from, sample]);
  // The script's own answer: see sample-scripts.ts.
  const drawn = reply as (number | string[])[];
  return from.map((_, nth) => ({ length: drawn[2 * nth] as number, ids: drawn[2 * nth + 1] as string[] }));
}

/** @returns the answer of each step, in order */
async function askInSteps({ client, keys }: Shard, command: 'krsCountStates' | 'krsCountCancelled', ids: readonly string[]): Promise<readonly unknown[]> {
  const answers: unknown[] = [];
  for (let from = 0; from < ids.length; from += SAMPLED_AT_ONCE) answers.push(await client.runCommand(command, [keys.base, ...ids.slice(from, from + SAMPLED_AT_ONCE)]));
  return answers;
}

/** 300 members, of which 100 were looked at and 20 are of a kind -> 60. With all of them looked at it is exact. */
function shareOf(members: number, ofKind: number, looked: number): number {
  return looked === 0 ? 0 : (members * ofKind) / looked;
}

/** @param dueAt of a script, which has no word for infinity: 0 when there is none */
function dueOrNever(dueAt: number): number {
  return dueAt === 0 ? Infinity : dueAt;
}

function add(a: TaskCounts, b: TaskCounts): TaskCounts {
  return {
    ...addPlain(a, b),
    scheduled: a.scheduled + b.scheduled,
    retrying: a.retrying + b.retrying,
    deadLettering: a.deadLettering + b.deadLettering,
    cancelled: a.cancelled + b.cancelled,
  };
}

function addPlain(a: PlainCounts, b: PlainCounts): PlainCounts {
  return {
    waiting: a.waiting + b.waiting,
    due: a.due + b.due,
    sending: a.sending + b.sending,
    ended: a.ended + b.ended,
    deadLettered: a.deadLettered + b.deadLettered,
    parked: a.parked + b.parked,
    unreadable: a.unreadable + b.unreadable,
    held: addHeld(a.held, b.held),
    isHeldExact: a.isHeldExact && b.isHeldExact,
    oldestDueMs: a.oldestDueMs === undefined || b.oldestDueMs === undefined ? (a.oldestDueMs ?? b.oldestDueMs) : Math.max(a.oldestDueMs, b.oldestDueMs),
  };
}

function addHeld(a: readonly HeldTasks[], b: readonly HeldTasks[]): readonly HeldTasks[] {
  const byName = new Map(a.map((held) => [held.waitingList, held]));
  for (const held of b) {
    const known = byName.get(held.waitingList);
    byName.set(held.waitingList, known === undefined ? held : { ...known, length: known.length + held.length, reason: known.reason === '' ? held.reason : known.reason });
  }
  return [...byName.values()];
}
