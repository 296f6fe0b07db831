import type { TaskState } from '../../domain/task/task.js';
import type { Shard } from '../engine/shard.js';
import { jobIdOf } from '../names.js';
import { actOnTask, type Acting } from './act-on-task.js';
import type { Redriven } from './redrive-task.js';
import { restoreThose } from './restore-strays.js';

/** The result of a request to send a task now. */
export type RetryNow =
  /** It waited for its time and is due now (`retried_now`), or was due before and waits for a free slot (`already_due`). */
  | { readonly kind: 'retried_now' | 'already_due'; readonly state: TaskState; readonly run: number; readonly dueAt: number }
  | Redriven
  | { readonly kind: 'being_sent' }
  | { readonly kind: 'finished'; readonly state: TaskState }
  | { readonly kind: 'not_found' }
  /** It is a task of another client. */
  | { readonly kind: 'foreign' };

/** Makes a waiting task due, or starts a dead or parked one again; it is atomic. */
export async function retryNow(shard: Shard, taskId: string, acting: Acting): Promise<RetryNow> {
  const acted = await actOnTask(shard, taskId, ['send_now', 'redrive'], acting);
  switch (acted.kind) {
    case 'done': {
      const { action, state, run, wasDue, at } = acted;
      // A task that is in no set looks like one that waits for a slot. Nobody has to wait for the janitor.
      if (wasDue) await restoreThose(shard, [jobIdOf(taskId)], 'now');
      if (action === 'redrive') return { kind: 'redriven', run: run + 1, dueAt: at };
      return { kind: wasDue ? 'already_due' : 'retried_now', state, run, dueAt: at };
    }
    case 'refused':
      return { kind: 'finished', state: acted.state };
    case 'being_sent':
    case 'not_found':
    case 'foreign':
      return acted;
  }
}
