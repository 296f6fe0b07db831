import { overrideFields, plainOverrideFields, withStandIns, type Override } from '../../shared/domain/bulk-actions/override.js';
import { destinationTypeNames, isDestinationType, type DestinationType } from '../../shared/domain/destinations/destination.js';
import type { UncheckedFields } from '../../shared/domain/destinations/destination-row.js';
import { RequestError, type RefusalNotes } from '../../shared/domain/errors.js';
import { destinationFields, type DestinationPlace } from '../../shared/domain/task/task-fields.js';
import type { WireViolation } from '../../shared/wire/error.js';
import type { ParseTask } from '../tasks/schema.js';
import { hintInTask, strangersIn } from '../tasks/unknown-field.js';

/** A task that is right, so that what is wrong with it and a field of an override is wrong with that field. */
const somePlace = { url: 'https://stand-in.invalid/' };
const someTask: UncheckedFields = { id: 'task', source: 'source', client_id: 'client', destination_type: 'http', destination: somePlace, dead_destination: somePlace, max_retries: 0, base_delay: 1, message_data: '{}' };

/** The policy object of a later version, which no submission has yet. Half of it, under its name, would become a promise. */
const RESERVED = 'retry';

/** `notes`: what the log and the counters say of it. */
export interface OverrideFault extends WireViolation {
  readonly notes?: RefusalNotes;
}

/**
 * Reads the member `override` of a bulk action. Its fields are checked as those of a submission are.
 * @param faults gets what is wrong with it, under `override.<field>`
 * @returns null when something is wrong
 */
export function parseOverride(value: unknown, parseTask: ParseTask, faults: OverrideFault[]): Override | null {
  const before = faults.length;
  const fault = (field: string, complaint: string): void => void faults.push({ field, message: `${field} ${complaint}` });
  if (!isFields(value) || Object.keys(value).length === 0) {
    fault('override', `must be an object with one of ${overrideFields.join(', ')}`);
    return null;
  }
  for (const name of Object.keys(value).slice(0, 1_000)) if (!overrideFields.includes(name)) fault(`override.${name}`, `is not allowed${name === RESERVED ? ': the name is reserved for the retry policy of a later version, so use max_retries and base_delay' : hintInTask(name, overrideFields)}`);
  const plain = Object.fromEntries(plainOverrideFields.flatMap((name) => (value[name] === undefined ? [] : [[name, value[name]]])));
  faults.push(...faultsOf({ ...someTask, ...plain }, parseTask));
  const complaints: Record<string, Partial<Record<DestinationType, string>>> = {};
  for (const place of destinationFields) {
    const { wire, typeField } = place;
    if (value[wire] === undefined && value[typeField] !== undefined) fault(`override.${typeField}`, `needs override.${wire}: a destination is replaced as a whole`);
    if (value[wire] === undefined) continue;
    const type = value[typeField];
    if (type === undefined) complaints[wire] = complaintsByType(place, value[wire], parseTask, faults);
    else faults.push(...faultsAt(place, type, value[wire], parseTask));
  }
  return faults.length > before ? null : { fields: value, complaints };
}

/** Without a type of its own it goes to tasks of any type, so one of the types at least has to take it. */
function complaintsByType(place: DestinationPlace, wire: unknown, parseTask: ParseTask, faults: OverrideFault[]): Partial<Record<DestinationType, string>> {
  const byType = destinationTypeNames.map((type) => ({ type, found: faultsAt(place, type, wire, parseTask) }));
  if (byType.every(({ found }) => found.length > 0)) {
    const names = isFields(wire) ? Object.keys(wire).slice(0, 1_000) : [];
    // The type that was probably meant: it has the fewest faults, and of those the most of its fields.
    const [meant] = byType.toSorted((a, b) => a.found.length - b.found.length || strangersIn(a.type, names) - strangersIn(b.type, names));
    faults.push(...(meant?.found ?? []));
  }
  return Object.fromEntries(byType.flatMap(({ type, found: [first] }) => (first === undefined ? [] : [[type, first.message]])));
}

function faultsAt({ wire: name, typeField }: DestinationPlace, type: unknown, wire: unknown, parseTask: ParseTask): readonly OverrideFault[] {
  const checked = isDestinationType(type) && isFields(wire) ? withStandIns(type, wire) : wire;
  return faultsOf({ ...someTask, dead_destination_type: 'http', [name]: checked, [typeField]: type }, parseTask);
}

function faultsOf(task: UncheckedFields, parseTask: ParseTask): readonly OverrideFault[] {
  try {
    parseTask(task);
    return [];
  } catch (error) {
    if (!(error instanceof RequestError) || error.code === 'secrets_not_configured') throw error;
    const { notes } = error;
    return (error.details ?? []).map(({ field, message }) => ({ notes, field: `override.${field}`, message: message.startsWith(field) ? `override.${message}` : message }));
  }
}

function isFields(value: unknown): value is UncheckedFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
