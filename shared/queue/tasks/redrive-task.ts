import type { Actor } from '../../domain/actor.js';
import type { Shard } from '../engine/shard.js';
import { taskIdOf } from '../names.js';
import { actOnTask } from './act-on-task.js';

const REDRIVES_AT_ONCE = 100;

export type Redrive = Redriven | { readonly kind: 'not_found' } | { readonly kind: 'not_dead' };

/** It was a dead letter or parked. A new run has begun, which is due now. `dueAt`: by Redis' clock, milliseconds since the epoch. */
export interface Redriven {
  readonly kind: 'redriven';
  readonly run: number;
  readonly dueAt: number;
}

/** Starts a dead or parked task again with all its retries, at once; its run goes up by one. @param by stands in the history of the task */
export async function redriveTask(shard: Shard, taskId: string, by: Actor | undefined): Promise<Redrive> {
  const acted = await actOnTask(shard, taskId, ['redrive'], { by });
  if (acted.kind === 'not_found') return acted;
  return acted.kind === 'done' ? { kind: 'redriven', run: acted.run + 1, dueAt: acted.at } : { kind: 'not_dead' };
}

/**
 * Redrives every task that is in the failed set of one queue now, a page at a time. Tasks that fail again meanwhile are left:
 * Redis' clock tells them, which workers go by, whatever the clock of this machine says.
 * @returns how many were started again, and how many another call had started or removed before
 */
export async function redriveFailed(shard: Shard, redrive: (taskId: string) => Promise<Redrive>): Promise<{ retried: number; skipped: number }> {
  const counts = { retried: 0, skipped: 0 };
  let place: Place = { score: '-inf', behind: '', until: undefined };
  /** Those of the present score that could not be started: they stay in the set, and may come once more. */
  let staying = new Set<string>();
  for (;;) {
    const { jobs: page, until } = await failedJobs(shard, place);
    const last = page.at(-1);
    if (last === undefined) return counts;
    const fresh = page.filter(({ jobId }) => !staying.has(jobId));
    const redrives = await Promise.all(fresh.map(async (job) => ({ job, isStarted: (await redrive(taskIdOf(job.jobId) ?? '')).kind === 'redriven' })));
    for (const { isStarted } of redrives) counts[isStarted ? 'retried' : 'skipped'] += 1;
    if (last.finishedAt !== place.score) staying = new Set();
    for (const { job, isStarted } of redrives) if (!isStarted && job.finishedAt === last.finishedAt) staying.add(job.jobId);
    // What was started has left the set, so the next page begins behind the last one that stays.
    const anchor = page.findLast(({ jobId }) => staying.has(jobId));
    place = { score: last.finishedAt, behind: anchor?.jobId ?? (last.finishedAt === place.score ? place.behind : ''), until };
  }
}

/** A place in the failed set. */
interface Place {
  readonly score: string;
  /** A job of that score, or '' for its beginning. */
  readonly behind: string;
  /** The highest score that counts; undefined: Redis' time. */
  readonly until: number | undefined;
}

interface FailedPage {
  readonly jobs: readonly { readonly jobId: string; readonly finishedAt: string }[];
  /** As in Place. */
  readonly until: number;
}

/** The oldest of the failed set from a place on. */
async function failedJobs({ client, keys }: Shard, { score, behind, until }: Place): Promise<FailedPage> {
  const reply: unknown = await client.runCommand('krsFailedPage', [keys.failed, score, behind, until ?? '', REDRIVES_AT_ONCE]);
  // The script's own answer: see failed-page-script.ts.
  const [highest, ...pairs] = reply as [number, ...string[]];
  return { until: highest, jobs: Array.from({ length: pairs.length / 2 }, (_, index) => ({ jobId: pairs[2 * index] ?? '', finishedAt: pairs[2 * index + 1] ?? '' })) };
}
