import type { Actor } from '../../domain/actor.js';
import type { PathMask } from '../../domain/destinations/path-mask.js';
import type { Task } from '../../domain/task/task.js';
import { recordPriorityChange } from '../engine/priority-change.js';
import type { Shard } from '../engine/shard.js';
import { jobIdOf } from '../names.js';
import { editedValues, readValues } from './edited-content.js';
import { EDIT, PRIORITY_KEYS, PRIORITY_VALUES } from './edit-script.js';
import { decodeCompletion } from './log-codec.js';
import { jobPriorityOf } from './task-codec.js';
import type { TaskView } from './task-view.js';

/** The result of a request to change a task. */
export type Edit =
  /** Later sends carry `edits` as `x-retry-edit`. */
  | { readonly kind: 'edited'; readonly edits: number }
  /** Meanwhile it was changed by others, replaced, started again, or sent: read it again. */
  | { readonly kind: 'changed' }
  /** A worker holds it, or has died with it and its lock has not lapsed yet. */
  | { readonly kind: 'being_sent' }
  | { readonly kind: 'finished'; readonly state: 'delivered' | 'cancelled' }
  | { readonly kind: 'not_found' };

export interface EditedTask {
  /** What was read. */
  readonly before: TaskView;
  readonly after: Task;
  /** Data of `after`, with `before.edits` + 1: see encodeTask. */
  readonly data: string;
  readonly by: Actor;
}

/**
 * Puts other content into a task, if it is still as it was read; the script is atomic. What was first accepted stays noted (`sha`):
 * a submission that is repeated is compared with that.
 */
export async function editTask({ client, keys, queue }: Shard, { before, after, data, by }: EditedTask, parts: { readonly deadAttempts: number; readonly mask: PathMask }): Promise<Edit> {
  const { id } = after;
  const { stored, progress, editMarks: marks } = before;
  const edit = before.edits + 1;
  const priority = jobPriorityOf(after);
  const differsInPriority = after.isPriority !== before.task.isPriority;
  const { args: recorded } = await recordPriorityChange(queue, jobIdOf(id), priority);
  // BullMQ's own arguments: texts and numbers.
  const args = recorded as (string | number)[];
  const reply: unknown = await client.runCommand('krsEdit', [
    ...args.slice(0, PRIORITY_KEYS),
    ...[keys.job(id), keys.delayed, keys.completed, keys.failed, keys.waitingLists],
    ...args.slice(PRIORITY_KEYS, PRIORITY_KEYS + PRIORITY_VALUES),
    ...readValues(stored),
    ...[differsInPriority ? 1 : 0, keys.waitingList('')],
    ...editedValues(stored, { after, data, edit, run: progress.run, by, marks, priority: differsInPriority ? priority : undefined }, parts),
  ]);
  // The script's own answer: see edit-script.ts.
  const [code, returnValue] = reply as [(typeof EDIT)[keyof typeof EDIT], string];
  switch (code) {
    case EDIT.absent:
      return { kind: 'not_found' };
    case EDIT.edited:
      return { kind: 'edited', edits: edit };
    case EDIT.beingSent:
      return { kind: 'being_sent' };
    case EDIT.completed:
      return { kind: 'finished', state: decodeCompletion(returnValue)?.outcome ?? 'delivered' };
    case EDIT.changed:
      return { kind: 'changed' };
  }
}
