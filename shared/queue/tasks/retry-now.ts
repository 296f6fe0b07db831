import { RequestError } from '../../domain/errors.js';
import type { TaskState } from '../../domain/task/task.js';
import { decodeCompletion } from './log-codec.js';
import { jobIdOf } from '../names.js';
import { PLACE } from './locate-script.js';
import { promotion } from '../engine/promote-job.js';
import type { Shard } from '../engine/shard.js';
import { transact } from '../engine/transact.js';
import type { Redriven } from './redrive-task.js';
import { readWaiting } from './task-view.js';

/** The result of a request to send a task now. */
export type RetryNow =
  /** It waited for its time and is due now (`retried_now`), or was due before and waits for a free slot (`already_due`). */
  | { readonly kind: 'retried_now' | 'already_due'; readonly state: TaskState; readonly run: number; readonly dueAt: number }
  | Redriven
  | { readonly kind: 'being_sent' }
  | { readonly kind: 'finished'; readonly state: 'delivered' | 'cancelled' }
  | { readonly kind: 'not_found' };

/** Between our look and the redrive another call may start it, and it may fail again; give up after this. */
const MAX_ROUNDS = 5;

/**
 * @param startAgain redrives it; undefined when it is neither a dead letter nor parked any more
 */
export async function retryNow(shard: Shard, taskId: string, startAgain: () => Promise<Redriven | undefined>): Promise<RetryNow> {
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const found = await makeDue(shard, taskId);
    if (found.kind !== 'failed') return found;
    const started = await startAgain();
    if (started !== undefined) return started;
    // Otherwise another call was faster, and the next look sees what it did.
  }
  throw new RequestError('redis_unavailable', 'the task was started and ended again and again by others');
}

async function makeDue({ client, keys, queue }: Shard, taskId: string): Promise<Exclude<RetryNow, { kind: 'redriven' }> | { readonly kind: 'failed' }> {
  const jobId = jobIdOf(taskId);
  const promote = await promotion(queue, jobId);
  const [located] = await transact(client, (multi) => {
    multi.runCommand('krsLocate', [keys.job(taskId), keys.delayed, keys.completed, keys.failed, keys.active, jobId]);
    // The call is made on this MULTI instead of its own connection, so that BullMQ acts on the state that was found. If
    // this MULTI met NOSCRIPT half-way, the second look finds the task as its own first try left it: due, which is the
    // wanted result.
    promote(multi);
  });
  // The script's own answer: see locate-script.ts.
  const [place, now, log, options, returnValue] = located as [(typeof PLACE)[keyof typeof PLACE], number, string, string, string];
  switch (place) {
    case PLACE.nowhere:
      return { kind: 'not_found' };
    case PLACE.delayed:
      return { kind: 'retried_now', ...readWaiting(log, options), dueAt: now };
    case PLACE.due:
      return { kind: 'already_due', ...readWaiting(log, options), dueAt: now };
    case PLACE.active:
      return { kind: 'being_sent' };
    case PLACE.completed:
      return { kind: 'finished', state: decodeCompletion(returnValue)?.outcome ?? 'delivered' };
    case PLACE.failed:
      return { kind: 'failed' };
  }
}
