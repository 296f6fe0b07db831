import { destinationTypeNames, isDestinationType, rowOf, type DestinationType, type WireDestination } from '../destinations/destination.js';
import type { UncheckedFields } from '../destinations/destination-row.js';
import type { PathMask } from '../destinations/path-mask.js';
import { HIDDEN_VALUE } from '../field-check.js';
import { buildTask, destinationFields, taskFieldRows, taskFields, typeNamedFor, type DestinationPlace } from '../task/task-fields.js';
import { submissionOf } from '../task/task-patch.js';
import type { Task } from '../task/task.js';

/** The fields of a task that a redrive may change, by their wire names. */
export const overrideFields: readonly string[] = [
  ...destinationFields.flatMap(({ wire, typeField }) => [wire, typeField]),
  taskFields.maxRetries.wire,
  taskFields.baseDelayMs.wire,
];

/** What a redrive changes in each of its tasks. It was checked when it was asked for, as far as no single task matters. */
export interface Override {
  /** As the caller wrote them, with secrets. */
  readonly fields: UncheckedFields;
  /**
   * What is wrong with a destination without a type of its own, by its wire name and the type that a task may give it:
   * `{"destination":{"kafka":"destination.topic is required"}}`. No text for a type whose rules it keeps.
   */
  readonly complaints: Readonly<Record<string, Readonly<Partial<Record<DestinationType, string>>>>>;
  /** All fields, encrypted, where `fields` has *** in place of some values: see override-secrets.ts. */
  readonly sealed?: string;
}

/** A task with the fields of an override, or what would be wrong with it: its type of destination, or a *** that stands for no secret of it. */
export type Overridden = { readonly task: Task } | { readonly complaint: string };

export function overridden(task: Task, { fields, complaints }: Override): Overridden {
  const wire: Readonly<Record<string, unknown>> = { ...submissionOf(task), ...fields };
  const values = new Map<string, unknown>();
  for (const place of destinationFields) {
    if (fields[place.wire] === undefined) continue;
    const type = typeNamedFor(place, wire);
    if (!isDestinationType(type)) return { complaint: `${place.wire} has no type` };
    const complaint = complaints[place.wire]?.[type];
    if (complaint !== undefined) return { complaint: `${complaint} (this task's ${place.typeField} is ${type})` };
    const kept = withSecretsOf(place.wire === 'destination' ? task.destination : task.deadDestination, type, fields[place.wire]);
    if (hasOpenSecret(type, kept)) return { complaint: `${place.wire} has ${HIDDEN_VALUE} in place of a secret, and the old one of this task goes elsewhere or has none` };
    // Its check has been asked when the override was taken.
    values.set(place.wire, rowOf(type).parse(kept as unknown as WireDestination));
  }
  return {
    task: buildTask((row) => {
      if (values.has(row.wire)) return values.get(row.wire);
      const field = fields[row.wire];
      return field === undefined ? row.read(task) : row.parse(field, wire);
    }),
  };
}

/** The old destination may be of another type, or there may be none: then there is nothing to keep. */
function withSecretsOf(old: Task['deadDestination'], type: DestinationType, wire: unknown): UncheckedFields {
  // An object, by its check.
  const fields = wire as UncheckedFields;
  if (old?.type !== type) return fields;
  const row = rowOf(type);
  return row.keepSecrets?.(fields, row.unparse(old)) ?? fields;
}

/** Is there a *** which the secret of a task could take the place of? */
function hasOpenSecret(type: DestinationType, wire: UncheckedFields): boolean {
  return JSON.stringify(keptFrom(type, wire, wire)) !== JSON.stringify(withStandIns(type, wire));
}

/** The same destination with a text in place of each *** that stands for a secret, so that the rest of it can be checked. */
export function withStandIns(type: DestinationType, wire: UncheckedFields): UncheckedFields {
  // Other texts make no other form of it.
  return keptFrom(type, wire, JSON.parse(JSON.stringify(wire).replaceAll(HIDDEN_VALUE, STAND_IN)) as UncheckedFields);
}

function keptFrom(type: DestinationType, wire: UncheckedFields, old: UncheckedFields): UncheckedFields {
  // What is no destination of the type is left to the check of the type: nothing of it is kept.
  return rowOf(type).keepSecrets?.(wire, old as unknown as WireDestination) ?? wire;
}

const STAND_IN = 'secret';

/** As clients see it: the secrets are ***, and paths are masked as in GET /tasks/:id. */
export function shownOverride({ fields, complaints }: Override, mask: PathMask): UncheckedFields {
  const shown: Record<string, unknown> = { ...fields };
  for (const place of destinationFields) {
    if (fields[place.wire] === undefined) continue;
    const type = shownType(place, fields, complaints[place.wire]);
    // Checked for this type.
    if (type !== undefined) shown[place.wire] = rowOf(type).toWire(rowOf(type).parse(fields[place.wire] as WireDestination), mask);
  }
  return shown;
}

/** A destination without a type is shown as one of the first type that it keeps the rules of. */
function shownType(place: DestinationPlace, fields: UncheckedFields, complaints: Override['complaints'][string] | undefined): DestinationType | undefined {
  const named = typeNamedFor(place, fields);
  return isDestinationType(named) ? named : destinationTypeNames.find((type) => complaints?.[type] === undefined);
}

/** The rows of fields that are no destination, for their checks. */
export const plainOverrideFields: readonly string[] = taskFieldRows.map(({ wire }) => wire).filter((wire) => overrideFields.includes(wire) && !destinationFields.some((place) => place.wire === wire));
