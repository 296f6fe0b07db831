import type { TaskState } from './task.js';

/** What a person may do with a stored task. */
export const taskActions = ['redrive', 'send_now', 'cancel', 'delete'] as const;
export type TaskAction = (typeof taskActions)[number];

/**
 * The states that each action takes. The single calls, bulk actions, the page and the command line all go by this table.
 * A task in the hands of a worker is taken by none, whatever its state is called.
 *
 * - `redrive`: it starts again as a new run, with all its retries.
 * - `send_now`: it is due now, with the attempt that was to come.
 * - `cancel`: it is not sent any more, and is kept as cancelled.
 * - `delete`: it is removed for good.
 */
export const statesTakenBy = {
  redrive: ['dead_lettered', 'parked'],
  send_now: ['scheduled', 'retrying', 'dead_lettering'],
  cancel: ['scheduled', 'retrying', 'dead_lettering'],
  delete: ['parked'],
} as const satisfies Record<TaskAction, readonly TaskState[]>;

export function takes(action: TaskAction, state: TaskState): boolean {
  const states: readonly TaskState[] = statesTakenBy[action];
  return states.includes(state);
}

/** `parked` -> redrive, delete */
export function actionsFor(state: TaskState): readonly TaskAction[] {
  return taskActions.filter((action) => takes(action, state));
}
