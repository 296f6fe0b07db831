import { jobField } from '../engine/job-fields.js';
import { restart } from '../engine/restart-job.js';
import type { Shard } from '../engine/shard.js';
import { transact } from '../engine/transact.js';
import { jobIdOf, taskIdOf } from '../names.js';

const REDRIVES_AT_ONCE = 100;

export type Redrive = Redriven | { readonly kind: 'not_found' } | { readonly kind: 'not_dead' };

/** It was a dead letter or parked. A new run has begun, which is due now. `dueAt`: by Redis' clock, milliseconds since the epoch. */
export interface Redriven {
  readonly kind: 'redriven';
  readonly run: number;
  readonly dueAt: number;
}

/** Starts a dead or parked task again with all its retries, at once; its run goes up by one. */
export async function redriveTask({ queue, client, keys }: Shard, taskId: string): Promise<Redrive> {
  const jobId = jobIdOf(taskId);
  // The job itself is not read: its message may have megabytes, and a hundred jobs are started again at once.
  if ((await client.hexists(keys.job(taskId), jobField.createdAt)) === 0) return { kind: 'not_found' };
  const startAgain = await restart(queue, jobId);
  const [prepared] = await transact(client, (multi) => {
    multi.runCommand('krsPrepareRedrive', [keys.job(taskId), keys.failed, keys.parked, jobId]);
    // The call is made on this MULTI instead of its own connection: a crash between our script and BullMQ's would leave a
    // dead letter without its log.
    startAgain(multi);
  });
  // The script's own answer: see redrive-script.ts.
  const [run, dueAt] = prepared as [number, number];
  return run > 0 ? { kind: 'redriven', run, dueAt } : { kind: 'not_dead' };
}

/**
 * Redrives every task that is in the failed set of one queue now. Tasks that fail again meanwhile are left.
 * @returns how many were started again, and how many another call had started or removed before
 */
export async function redriveFailed(shard: Shard, redrive: (taskId: string) => Promise<Redrive>): Promise<{ retried: number; skipped: number }> {
  const counts = { retried: 0, skipped: 0 };
  const seen = new Set<string>();
  let until: number | undefined;
  for (let from = '-inf'; ; ) {
    const { until: readUntil, page } = await failedJobs(shard, from, until);
    until = readUntil;
    const fresh = page.filter(({ jobId }) => !seen.has(jobId));
    const redrives = await Promise.all(fresh.map(({ jobId }) => redrive(taskIdOf(jobId) ?? '')));
    for (const { jobId } of fresh) seen.add(jobId);
    for (const { kind } of redrives) counts[kind === 'redriven' ? 'retried' : 'skipped'] += 1;
    const last = page.at(-1);
    if (last === undefined) return counts;
    // Tasks that could not be started stay in the set. The cursor goes past them, all with the same finishing time
    // included.
    from = fresh.length > 0 ? last.finishedAt : `(${last.finishedAt}`;
  }
}

interface FailedPage {
  readonly until: number;
  readonly page: readonly { readonly jobId: string; readonly finishedAt: string }[];
}

/**
 * The oldest of the failed set, a page at a time.
 * @param from  score; with `(` before it, only higher scores
 * @param until milliseconds since the epoch; undefined: now, by Redis' clock
 */
async function failedJobs({ client, keys }: Shard, from: string, until: number | undefined): Promise<FailedPage> {
  const reply: unknown = await client.runCommand('krsFailedPage', [keys.failed, from, until ?? '', REDRIVES_AT_ONCE]);
  // The script's own answer: ids and scores in turn.
  const [readUntil, pairs] = reply as [number, string[]];
  const page = Array.from({ length: pairs.length / 2 }, (_, index) => ({ jobId: pairs[2 * index] ?? '', finishedAt: pairs[2 * index + 1] ?? '' }));
  return { until: readUntil, page };
}
