import { destinationTypeNames, isDestinationType, rowOf, type DestinationType, type WireDestination } from '../destinations/destination.js';
import type { UncheckedFields } from '../destinations/destination-row.js';
import type { SecretBox } from '../secrets/secret-box.js';
import { destinationFields, typeNamedFor, type DestinationPlace } from '../task/task-fields.js';
import type { Override } from './override.js';

/*
 * An override waits in Redis until its tasks have had their turn. With a key, one with secret fields is stored encrypted as a whole; what
 * stands open beside it has *** in their place, for those who look at the action.
 */

const place = (actionId: string): readonly string[] => ['bulk_action', actionId, 'override'];

/** As it is stored. */
export function sealOverride(override: Override, actionId: string, box: SecretBox): Override {
  if (!box.hasKeys || !destinationFields.some((each) => hasSecrets(each, override))) return override;
  const shown: Record<string, unknown> = { ...override.fields };
  for (const each of destinationFields) {
    const type = someTypeOf(each, override);
    const wire = override.fields[each.wire];
    if (wire === undefined || type === undefined) continue;
    // Checked for this type when the override was taken.
    shown[each.wire] = rowOf(type).hideSecrets?.(wire as WireDestination) ?? wire;
  }
  return { ...override, fields: shown, sealed: box.seal(JSON.stringify(override.fields), place(actionId)) };
}

/** The opposite. @throws SealedTextError */
export function openOverride({ sealed, ...override }: Override, actionId: string, box: SecretBox): Override {
  // What the key has opened is what `sealOverride` wrote.
  return sealed === undefined ? override : { ...override, fields: JSON.parse(box.open(sealed, place(actionId))) as UncheckedFields };
}

function hasSecrets(each: DestinationPlace, { fields, complaints }: Override): boolean {
  const wire = fields[each.wire];
  return wire !== undefined && typesOf(each, fields, complaints[each.wire]).some((type) => rowOf(type).hasSecretFields?.(rowOf(type).parse(wire as WireDestination)) === true);
}

function someTypeOf(each: DestinationPlace, { fields, complaints }: Override): DestinationType | undefined {
  return typesOf(each, fields, complaints[each.wire])[0];
}

/** The types that it may be taken for: without a type of its own it goes to tasks of each type that it fits. */
function typesOf(each: DestinationPlace, fields: UncheckedFields, complaints: Override['complaints'][string] | undefined): readonly DestinationType[] {
  const named = typeNamedFor(each, fields);
  return isDestinationType(named) ? [named] : destinationTypeNames.filter((type) => complaints?.[type] === undefined);
}
