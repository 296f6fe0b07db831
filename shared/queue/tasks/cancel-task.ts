import type { Shard } from '../engine/shard.js';
import { actOnTask, type Acting } from './act-on-task.js';

/** The result of a request to cancel. */
export type Cancellation =
  /** It waited. It is kept as cancelled for as long as a delivered task. */
  | { readonly kind: 'cancelled' }
  /** It was parked, and is now deleted. */
  | { readonly kind: 'deleted' }
  /** A worker holds it, or has died with it and its lock has not lapsed yet. */
  | { readonly kind: 'being_sent' }
  | { readonly kind: 'finished'; readonly state: string }
  | { readonly kind: 'not_found' }
  /** It is a task of another client. */
  | { readonly kind: 'foreign' };

/** It is atomic: exactly one of cancel and fetch gets the task. */
export async function cancelTask(shard: Shard, taskId: string, acting: Acting): Promise<Cancellation> {
  const acted = await actOnTask(shard, taskId, ['cancel', 'delete'], acting);
  switch (acted.kind) {
    case 'done':
      return { kind: acted.action === 'delete' ? 'deleted' : 'cancelled' };
    case 'refused':
      return { kind: 'finished', state: acted.state };
    case 'being_sent':
    case 'not_found':
    case 'foreign':
      return acted;
  }
}
