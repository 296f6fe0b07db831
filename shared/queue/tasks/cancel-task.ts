import { decodeCompletion } from './log-codec.js';
import { jobIdOf } from '../names.js';
import { CANCEL } from './cancel-script.js';
import type { Shard } from '../engine/shard.js';

/** The result of a request to cancel. */
export type Cancellation =
  /** It waited. It is kept as cancelled for as long as a delivered task. */
  | { readonly kind: 'cancelled' }
  /** It was parked, and is now deleted. */
  | { readonly kind: 'deleted' }
  /** A worker holds it, or has died with it and its lock has not lapsed yet. */
  | { readonly kind: 'being_sent' }
  | { readonly kind: 'finished'; readonly state: 'delivered' | 'cancelled' | 'dead_lettered' }
  | { readonly kind: 'not_found' };

/** The keys of cancelJob. */
export function cancelKeys(keys: Shard['keys']): readonly string[] {
  return [keys.delayed, keys.prioritized, keys.wait, keys.paused, keys.active, keys.completed, keys.failed, keys.parked, keys.unreadable, keys.waitingLists];
}

/** The script is atomic: exactly one of cancel and fetch gets the task. */
export async function cancelTask({ client, keys }: Shard, taskId: string): Promise<Cancellation> {
  // Outside a MULTI ioredis sends the text itself when Redis has lost the script.
  const reply: unknown = await client.runCommand('krsCancel', [keys.job(taskId), ...cancelKeys(keys), jobIdOf(taskId), keys.waitingList('')]);
  // The script's own answer: see cancel-script.ts.
  const [code, returnValue] = reply as [(typeof CANCEL)[keyof typeof CANCEL], string];
  switch (code) {
    case CANCEL.absent:
      return { kind: 'not_found' };
    case CANCEL.cancelled:
      return { kind: 'cancelled' };
    case CANCEL.deleted:
      return { kind: 'deleted' };
    case CANCEL.beingSent:
      return { kind: 'being_sent' };
    case CANCEL.deadLettered:
      return { kind: 'finished', state: 'dead_lettered' };
    case CANCEL.completed:
      return { kind: 'finished', state: decodeCompletion(returnValue)?.outcome ?? 'delivered' };
  }
}
