import type { RedisClient } from '../../redis/redis-connection.js';
import { masterOf } from '../../redis/redis-masters.js';
import type { Shard } from '../engine/shard.js';
import { taskIdOf } from '../names.js';

/** Keys that Redis looks at in one step: 0.3 ms. */
const KEYS_AT_ONCE = 1_000;
/** Jobs of one call: about 1 ms of Redis' time. */
const JOBS_AT_ONCE = 200;

/** The progress of a pass over all keys of the server that a shard is on. */
export interface StrayPass {
  /** Redis' own cursor; '0' is the beginning. */
  readonly cursor: string;
  /** Keys that were looked at, about. */
  readonly looked: number;
}

export const firstStrayStep: StrayPass = { cursor: '0', looked: 0 };

/** What one step has found. `next` undefined: the pass has ended. */
export interface StrayStep {
  readonly restored: readonly string[];
  readonly looked: number;
  readonly next: StrayPass | undefined;
}

/**
 * Looks for tasks that stand in no set and no list, and puts them among those that wait, or have ended. No worker would ever find them.
 *
 * A script of Redis takes a job out of one set and puts it into the next one. It does both or neither, unless a command in between is
 * refused: a person has taken a right from the user meanwhile, or has removed a key by hand.
 * @throws when Redis fails
 */
export async function restoreStrays(redis: RedisClient, shard: Shard, { cursor, looked }: StrayPass): Promise<StrayStep> {
  const node = masterOf(redis, shard.keys.delayed);
  // Its slot has no master now: the pass begins anew.
  if (node === undefined) return { restored: [], looked, next: firstStrayStep };
  const [next, found] = await node.scan(cursor, 'MATCH', `${literally(shard.keys.base)}t-*`, 'COUNT', KEYS_AT_ONCE);
  // `t-a:lock` belongs to a job, and is none.
  const jobIds = found.map((key) => key.slice(shard.keys.base.length)).filter((jobId) => taskIdOf(jobId) !== undefined);
  const restored: string[] = [];
  for (let from = 0; from < jobIds.length; from += JOBS_AT_ONCE) restored.push(...(await restoreThose(shard, jobIds.slice(from, from + JOBS_AT_ONCE), 'at their time')));
  return { restored, looked: looked + KEYS_AT_ONCE, next: next === '0' ? undefined : { cursor: next, looked: looked + KEYS_AT_ONCE } };
}

/** The same for jobs that are known. @returns the ids of those that were put back */
export async function restoreThose({ client, keys }: Shard, jobIds: readonly string[], due: 'now' | 'at their time'): Promise<readonly string[]> {
  const { delayed, prioritized, completed, failed, wait, active, paused, marker, parked, base } = keys;
  const reply: unknown = await client.runCommand('krsRestoreStrays', [delayed, prioritized, completed, failed, wait, paused, active, marker, parked, base, due === 'now' ? '1' : '', ...jobIds]);
  // The script's own answer.
  return reply as string[];
}

/** For a pattern of Redis. */
function literally(text: string): string {
  return text.replaceAll(/[*?[\]\\]/g, (character) => `\\${character}`);
}
