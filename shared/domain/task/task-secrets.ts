import { rowOf, type Destination } from '../destinations/destination.js';
import type { SecretBox } from '../secrets/secret-box.js';
import type { Task } from './task.js';

/*
 * The secret fields of a task's destinations. They are encrypted where the task is stored, and open where it is sent or changed. The
 * content hash is taken over the open ones: an encrypted text is another one each time, and a repeat would be a conflict.
 */

/** As it is stored: with a key its secret fields are encrypted. Nearly all tasks have none, and come back as they are. */
export function sealTask(task: Task, box: SecretBox): Task {
  if (!box.hasKeys || !hasSecretFields(task)) return task;
  return withDestinations(task, (destination, place) => {
    const row = rowOf(destination.type);
    return row.hasSecretFields?.(destination) === true && row.seal !== undefined ? row.seal(destination, (text) => box.seal(text, place)) : destination;
  });
}

/** The opposite. @throws SealedTextError */
export function openTask(task: Task, box: SecretBox): Task {
  if (!isSealed(task.destination) && !isSealed(task.deadDestination)) return task;
  return withDestinations(task, (destination, place) => (isSealed(destination) ? (rowOf(destination.type).open?.(destination, (text) => box.open(text, place)) ?? destination) : destination));
}

/** Does it have fields that may be stored only encrypted in prod? */
export function hasSecretFields({ destination, deadDestination }: Task): boolean {
  return holdsSecretFields(destination) || holdsSecretFields(deadDestination);
}

export function holdsSecretFields(destination: Destination | undefined): boolean {
  return destination !== undefined && rowOf(destination.type).hasSecretFields?.(destination) === true;
}

function isSealed(destination: Destination | undefined): boolean {
  return destination !== undefined && rowOf(destination.type).isSealed?.(destination) === true;
}

/** The run is no part of the place: a redrive begins a new run with the same stored text. */
function withDestinations(task: Task, change: (destination: Destination, place: readonly string[]) => Destination): Task {
  const { id, destination, deadDestination } = task;
  return {
    ...task,
    destination: change(destination, ['task', id, 'destination']),
    deadDestination: deadDestination === undefined ? undefined : change(deadDestination, ['task', id, 'dead_destination']),
  };
}
