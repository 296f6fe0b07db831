import { bullmqScripts, STALL_KEYS } from './bullmq-contract.js';
import type { Shard } from './shard.js';
import { recordStallCheck } from './take-over-script.js';

const { keys: KEYS } = bullmqScripts.moveStalledJobsToWait;
/** Only outcome.ts decides whether a task is given up, so BullMQ must never fail one for its stalls. */
const UNLIMITED_STALLS = 1_000_000_000;
/** The script removes the mark itself. BullMQ wants a time for it. */
const MARK_FOR_MS = 1;
/** BullMQ's script searches the list of running jobs for each: 50 take 7 ms in a list of 2,000. */
const MOST_JOBS = 50;

/**
 * Takes all jobs of a shard that a dead worker holds, in small steps.
 * @param at    now, ms since the epoch; BullMQ writes it into the mark
 * @param pause is awaited between two steps, so that other commands get their turn
 * @returns how many there were
 */
export async function takeOver({ queue, client, keys }: Shard, worker: string, at: number, pause: () => Promise<void>): Promise<number> {
  const active = await client.lrange(keys.active, 0, -1);
  if (active.length === 0) return 0;
  const recorded = (await recordStallCheck(queue)).args.slice(0, KEYS).map(String);
  const shared = [...recorded, recorded[STALL_KEYS.stalled - 1] ?? ''];
  shared[STALL_KEYS.stalled - 1] = keys.takenOver;
  shared[STALL_KEYS.mark - 1] = keys.takeOverMark;
  const values = [UNLIMITED_STALLS, keys.base, at, MARK_FOR_MS, worker];
  let taken = 0;
  for (let from = 0; from < active.length; from += MOST_JOBS) {
    if (from > 0) await pause();
    taken += Number(await client.runCommand('krsTakeOver', [...shared, ...values, ...active.slice(from, from + MOST_JOBS)]));
  }
  return taken;
}
