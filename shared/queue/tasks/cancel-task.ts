import { takes, type TaskAction } from '../../domain/task/state-actions.js';
import type { TaskState } from '../../domain/task/task.js';
import type { Shard } from '../engine/shard.js';
import { actOnTask, type Acting } from './act-on-task.js';

export type Removal = Extract<TaskAction, 'cancel' | 'delete'>;

/** The result of a request to cancel. */
export type Cancellation =
  /** It waited. It is kept as cancelled for as long as a delivered task. */
  | { readonly kind: 'cancelled' }
  /** It was parked, and is now deleted. */
  | { readonly kind: 'deleted' }
  /** A worker holds it, or has died with it and its lock has not lapsed yet. */
  | { readonly kind: 'being_sent' }
  | { readonly kind: 'finished'; readonly state: TaskState }
  /** It is parked, and was not to be deleted. */
  | { readonly kind: 'parked' }
  /** It waits, and was not to be cancelled. */
  | { readonly kind: 'waits'; readonly state: TaskState }
  | { readonly kind: 'not_found' }
  /** It is a task of another client. */
  | { readonly kind: 'foreign' };

/**
 * It is atomic: exactly one of cancel and fetch gets the task.
 * @param actions which of the two may be done to it
 */
export async function cancelTask(shard: Shard, taskId: string, acting: Acting, actions: readonly Removal[]): Promise<Cancellation> {
  const acted = await actOnTask(shard, taskId, actions, acting);
  switch (acted.kind) {
    case 'done':
      return { kind: acted.action === 'delete' ? 'deleted' : 'cancelled' };
    case 'refused':
      if (takes('delete', acted.state)) return { kind: 'parked' };
      return { kind: takes('cancel', acted.state) ? 'waits' : 'finished', state: acted.state };
    case 'being_sent':
    case 'not_found':
    case 'foreign':
      return acted;
  }
}
