import type { Actor } from '../actor.js';
import type { Filter } from '../search/filter.js';
import type { TaskAction } from '../task/state-actions.js';
import type { Override } from './override.js';

/**
 * `matching`: the tasks are being looked for, and none is touched. `paused` may be before or after that. `done`: nothing is left to
 * start. `refused`: another number of tasks than expected was found, and none was touched.
 */
export const bulkStates = ['matching', 'running', 'paused', 'done', 'cancelled', 'refused', 'failed'] as const;
export type BulkState = (typeof bulkStates)[number];

/** States that no other one follows. */
export const endedBulkStates = ['done', 'cancelled', 'refused', 'failed'] as const satisfies readonly BulkState[];

export function hasEnded(state: BulkState): boolean {
  const ended: readonly BulkState[] = endedBulkStates;
  return ended.includes(state);
}

/**
 * Why an action is in its state. The first five pause it, the others end it; but for `shard_away`, which is no state of it: some of its tasks
 * cannot be reached now.
 */
export type StateReasonCode = 'operator' | 'failing' | 'circuit_open' | 'key_missing' | 'changes_lost' | 'count_differs' | 'redis_full' | 'incomplete' | 'internal' | 'shard_away';

export interface StateReason {
  readonly code: StateReasonCode;
  readonly message: string;
}

/** Which of the tasks come first: by the time at which they ended, or at which they were to be sent. */
export type BulkOrder = 'oldest' | 'newest';

/** What was asked for. It never changes. */
export interface AskedBulkAction {
  readonly action: TaskAction;
  /** As the caller wrote it; null when ids were given. */
  readonly filter: Readonly<Record<string, unknown>> | null;
  /** The same as conditions, with its times fixed and the states that the action takes; null when ids were given. */
  readonly conditions: Filter | null;
  /** What a redrive changes in each task; null: nothing. */
  readonly override: Override | null;
  readonly order: BulkOrder;
  /** null: any number. */
  readonly limit: number | null;
  /** The number of tasks that the caller expects; null: it does not say. */
  readonly expected: number | null;
  readonly reason: string | null;
  /** ms since the epoch */
  readonly createdAt: number;
  readonly createdBy: Actor;
  /** It changes tasks of these clients alone, since the key that asked for it is bound to them; null: of all clients. */
  readonly clientIds: readonly string[] | null;
}

/** A bulk action without the numbers, which stand beside the tasks. Times are ms since the epoch. */
export interface BulkAction {
  readonly id: string;
  /** Of what was asked for, the clients of the key among it. Two actions that have one id, one after the other, and one digest ask for the same. */
  readonly digest: string;
  readonly asked: AskedBulkAction;
  readonly state: BulkState;
  readonly stateReason: StateReason | null;
  /** Tasks a second, by all workers together; null: any number. */
  readonly rate: number | null;
  /** It goes up with each change of the state or the rate: a step that goes by an older one changes nothing. */
  readonly epoch: number;
  /** How many tasks were found; null until that is known, and of an action that an older version matched. */
  readonly matched: number | null;
  readonly matchedAt: number | null;
  readonly doneAt: number | null;
  readonly settledAt: number | null;
  /** First sends that ended before do not count for a pause: it was resumed then. 0: it never was. */
  readonly resumedAt: number;
}
