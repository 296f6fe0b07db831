import type { DestinationField } from '../../shared/domain/destinations/destination-row.js';
import { destinationTypeNames, isDestinationType, rowOf, type DestinationType } from '../../shared/domain/destinations/destination.js';
import { destinationFields, ignoredFields, taskFieldRows, typeNamedFor } from '../../shared/domain/task/task-fields.js';
import { MAX_VIOLATIONS } from '../http/short-error.js';
import { fastEntryCheckOf, isFields, type FastEntryCheck, type Fields } from './fast-field-check.js';

/**
 * A copy of a request without the faults that are too many to be reported. Joi takes 5 µs or more for each fault, and a
 * task can have 2,000 headers. What is right, and the first MAX_VIOLATIONS faults of each object, stay.
 *
 * Only names that are unknown, and headers, can be so many.
 */
export function firstFaultsOf(input: unknown): unknown {
  if (!isFields(input)) return input;
  const copy: Record<string, unknown> = { ...withFewUnknown(input, knownInTask) };
  for (const place of destinationFields) {
    const type = typeNamedFor(place, input);
    const destination = input[place.wire];
    // Without a known type no rule for its fields is applied.
    if (isDestinationType(type) && isFields(destination)) copy[place.wire] = firstFaultsOfDestination(destination, type);
  }
  return copy;
}

const knownInTask: ReadonlySet<string> = new Set([...taskFieldRows.map(({ wire }) => wire), ...destinationFields.map(({ typeField }) => typeField), ...ignoredFields]);

interface KnownDestination {
  readonly names: ReadonlySet<string>;
  /** Its fields whose names a client chooses. */
  readonly free: ReadonlyMap<string, FastEntryCheck>;
}

const knownDestinations: ReadonlyMap<DestinationType, KnownDestination> = new Map(
  destinationTypeNames.map((type) => {
    const fields = Object.entries<DestinationField>(rowOf(type).fields);
    const free = fields.flatMap(([name, { check }]) => (check.kind === 'texts_by_name' ? [[name, fastEntryCheckOf(check)] as const] : []));
    return [type, { names: new Set(fields.map(([name]) => name)), free: new Map(free) }];
  }),
);

function firstFaultsOfDestination(destination: Fields, type: DestinationType): Fields {
  const known = knownDestinations.get(type);
  if (known === undefined) return destination;
  const copy: Record<string, unknown> = { ...withFewUnknown(destination, known.names) };
  for (const [name, isRight] of known.free) {
    const texts = destination[name];
    if (isFields(texts)) copy[name] = firstFaultsOfTexts(texts, isRight);
  }
  return copy;
}

function withFewUnknown(fields: Fields, known: ReadonlySet<string>): Fields {
  let unknown = 0;
  const kept = Object.entries(fields).filter(([name]) => known.has(name) || (unknown += 1) <= MAX_VIOLATIONS);
  return unknown <= MAX_VIOLATIONS ? fields : Object.fromEntries(kept);
}

/** Without a fault they all stay. With one of them the task is refused, so the ones that are right are of no use. */
function firstFaultsOfTexts(texts: Fields, isRight: FastEntryCheck): Fields {
  const wrong: [string, unknown][] = [];
  for (const name in texts) {
    if (isRight(name, texts[name])) continue;
    wrong.push([name, texts[name]]);
    if (wrong.length === MAX_VIOLATIONS) break;
  }
  return wrong.length === 0 ? texts : Object.fromEntries(wrong);
}
