import type { TaskAction } from '../task/state-actions.js';

/** The list of so few tasks fits into the memory that is left above REDIS_HIGH_WATER. */
const FEW_IDS = 100;

/**
 * Whether an action must not begin while Redis is above REDIS_HIGH_WATER. A cancellation or deletion makes room, so one with a short
 * list goes on.
 * @param ids how many were given, or will be found at most
 */
export function needsRoom(action: TaskAction, ids: number): boolean {
  return (action !== 'cancel' && action !== 'delete') || ids > FEW_IDS;
}
