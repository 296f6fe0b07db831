import { isDestinationType, rowOf, type Destination } from '../destinations/destination.js';
import type { UncheckedFields } from '../destinations/destination-row.js';
import { hasLogin } from '../destinations/name-without-secrets.js';
import { HIDDEN_VALUE } from '../field-check.js';
import { destinationFields, taskFieldRows, taskFields, typeNamedFor, type DestinationPlace } from './task-fields.js';
import type { Task } from './task.js';

const typeFields: readonly string[] = destinationFields.map(({ typeField }) => typeField);

/** The fields that PATCH /tasks/:id may change, in the order of the docs. */
export const changeableFields: readonly string[] = [...taskFieldRows.filter(({ isFixed }) => isFixed !== true).map(({ wire }) => wire), ...typeFields];

/** Those that every task has, and keeps as they are. */
export const fixedFields: readonly string[] = taskFieldRows.filter(({ isFixed }) => isFixed === true).map(({ wire }) => wire);

/** The request that would hand over this task again, with everything written out that a default could change. It has the secrets. */
export function submissionOf(task: Task): UncheckedFields {
  const fields: Record<string, unknown> = {};
  for (const row of taskFieldRows) {
    const value = row.read(task);
    if (row.submitted !== undefined) Object.assign(fields, row.submitted(value));
    else if (value !== undefined) fields[row.wire] = value;
  }
  return fields;
}

/** The same with *** in place of each secret: a password, a user without one, the values of Kafka headers, and a flow_key with a login in it. */
export function shownSubmissionOf(task: Task): UncheckedFields {
  const fields: Record<string, unknown> = { ...submissionOf(task), ...shownDestinationsOf(task) };
  if (hasHiddenFlowKey(task)) fields[FLOW_KEY] = HIDDEN_VALUE;
  return fields;
}

/** Its destinations as submitted, by the names of their fields, with *** in place of each secret. */
export function shownDestinationsOf(task: Task): UncheckedFields {
  const fields: Record<string, unknown> = {};
  for (const place of destinationFields) {
    const destination = oldDestination(task, place);
    if (destination === undefined) continue;
    const row = rowOf(destination.type);
    const wire = row.unparse(destination);
    fields[place.wire] = row.hideSecrets?.(wire) ?? wire;
  }
  return fields;
}

const FLOW_KEY = taskFields.flowKey.wire;

function hasHiddenFlowKey({ flowKey }: Task): boolean {
  return flowKey !== undefined && hasLogin(flowKey);
}

/**
 * The request for a task with changes, as RFC 7396 merges them: what is null is taken away, so that its default counts. A destination is
 * replaced as a whole; where it has *** it keeps the secret of the old one, if it goes to the same scheme, host and port.
 *
 * | task | patch | result |
 * |---|---|---|
 * | max_retries 5, flow_key a | `{"max_retries":9,"flow_key":null}` | max_retries 9, no flow_key |
 * | url `https://u:p@a/x` | `{"destination":{"url":"https://u:***@a/y"}}` | `https://u:p@a/y` |
 * | the same | `{"destination":{"url":"https://u:***@b/y"}}` | the *** stays, and is refused |
 *
 * @param patch names as in `changeableFields`, values of any kind
 * @returns a request that is still to be checked like any other
 */
export function mergePatch(task: Task, patch: UncheckedFields): UncheckedFields {
  const merged: Record<string, unknown> = { ...submissionOf(task), ...patch };
  for (const place of destinationFields) {
    if (!Object.hasOwn(patch, place.wire)) continue;
    // Without its destination a type alone would be refused.
    if (patch[place.wire] === null && patch[place.typeField] === undefined && place.elseTypeField !== undefined) merged[place.typeField] = null;
    else merged[place.wire] = withKeptSecrets(patch[place.wire], typeNamedFor(place, merged), oldDestination(task, place));
  }
  // A flow_key is sent nowhere, so it may be kept whatever else changes.
  if (patch[FLOW_KEY] === HIDDEN_VALUE && hasHiddenFlowKey(task)) merged[FLOW_KEY] = task.flowKey;
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

function withKeptSecrets(wire: unknown, type: unknown, old: Destination | undefined): unknown {
  if (!isFields(wire) || old === undefined || type !== old.type || !isDestinationType(type)) return wire;
  const row = rowOf(type);
  return row.keepSecrets?.(wire, row.unparse(old)) ?? wire;
}

function oldDestination(task: Task, { wire }: Pick<DestinationPlace, 'wire'>): Destination | undefined {
  return wire === 'destination' ? task.destination : task.deadDestination;
}

function isFields(value: unknown): value is UncheckedFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
