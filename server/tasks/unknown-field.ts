import type { DestinationField } from '../../shared/domain/destinations/destination-row.js';
import { destinationTypeNames, rowOf, type DestinationType } from '../../shared/domain/destinations/destination.js';
import { destinationFields, taskFieldRows, type DestinationPlace } from '../../shared/domain/task/task-fields.js';
import { lettersOf, nearestNames, suggestionOf } from '../http/nearest-name.js';

/** Words that other systems use, by their letters, and the fields that are meant here. */
const otherWords: ReadonlyMap<string, readonly string[]> = new Map([
  ['payload', ['message_data']],
  ['body', ['message_data']],
  ['msg', ['message_data']],
  ['content', ['message_data']],
  ['value', ['message_data']],
  ['attempts', ['max_retries']],
  ['maxattempts', ['max_retries']],
  ['retrycount', ['max_retries']],
  ['retrylimit', ['max_retries']],
  ['backoff', ['base_delay']],
  ['interval', ['base_delay']],
  ['delayseconds', ['initial_delay']],
  ['scheduledat', ['initial_delay']],
  ['scheduledfor', ['initial_delay']],
  ['scheduleat', ['initial_delay']],
  ['sendat', ['initial_delay']],
  ['runat', ['initial_delay']],
  ['deliverat', ['initial_delay']],
  ['deliverafter', ['initial_delay']],
  ['startat', ['initial_delay']],
  ['startafter', ['initial_delay']],
  ['notbefore', ['initial_delay']],
  ['eta', ['initial_delay']],
  ['countdown', ['initial_delay']],
  ['delayms', ['base_delay', 'initial_delay', 'max_delay']],
  ['retry', ['max_retries', 'base_delay']],
  ['retrypolicy', ['max_retries', 'base_delay']],
  ['urgent', ['is_priority']],
  ['isurgent', ['is_priority']],
  ['prioritised', ['is_priority']],
  ['prioritized', ['is_priority']],
  ['highpriority', ['is_priority']],
  ['ishighpriority', ['is_priority']],
  ['tenant', ['client_id']],
  ['tenantid', ['client_id']],
  ['group', ['flow_key']],
  ['dlq', ['dead_destination']],
  ['deadletter', ['dead_destination']],
  ['deadletterqueue', ['dead_destination']],
  ['deadlettertopic', ['dead_destination']],
  ['deadletterurl', ['dead_destination']],
  ['dest', ['destination']],
  ['target', ['destination']],
  ['endpoint', ['destination.url']],
  ['uuid', ['id']],
]);

const otherWordsInDestinations: ReadonlyMap<DestinationType, ReadonlyMap<string, string>> = new Map([
  ['http', new Map([['endpoint', 'url'], ['address', 'url'], ['href', 'url']])],
  ['kafka', new Map(['broker', 'brokers', 'bootstrap', 'bootstrapservers', 'server', 'servers', 'address'].map((word) => [word, 'host and port']))],
]);

const fieldsOfTask: readonly string[] = [...taskFieldRows.map(({ wire }) => wire), ...destinationFields.map(({ typeField }) => typeField)];
const fieldsOfType: ReadonlyMap<DestinationType, readonly string[]> = new Map(destinationTypeNames.map((type) => [type, Object.keys(rowOf(type).fields)]));
const fieldsOfDestinations: readonly string[] = [...new Set([...fieldsOfType.values()].flat())];

/**
 * What is wrong with a field that no task has, and which one was probably meant: `isPriority is not allowed: did you mean
 * is_priority?`, `destination.max_retries is not allowed: max_retries stands beside destination, not in it`.
 *
 * @param path  of the field in the request
 * @param types of the destinations, by their fields; undefined where it is unknown
 */
export function complaintAboutUnknown(path: readonly (string | number)[], types: ReadonlyMap<string, DestinationType | undefined>): string {
  const [first = '', second, ...deeper] = path.map(String);
  const complaint = `${path.join('.')} is not allowed`;
  if (second === undefined) return complaint + hintInTask(first);
  const type = types.get(first);
  const place = destinationFields.find(({ wire }) => wire === first);
  if (type === undefined || place === undefined) return complaint;
  return deeper.length > 0 ? (complaintAboutName(path.join('.'), second, deeper.join('.'), type) ?? complaint) : complaint + hintInDestination(second, place, type);
}

/** What is wrong with a name that the client chose, such as that of a header. */
function complaintAboutName(path: string, field: string, name: string, type: DestinationType): string | undefined {
  const check = new Map(Object.entries<DestinationField>(rowOf(type).fields)).get(field)?.check;
  if (check?.kind !== 'texts_by_name') return undefined;
  const complaint = check.name.map((each) => each(name)).find((found) => found !== undefined);
  return complaint === undefined ? undefined : `${path} ${complaint}`;
}

/**
 * Which field was probably meant by one that no task has: `: did you mean message_data?`, or nothing.
 * @param allowed the fields that may stand there
 */
export function hintInTask(name: string, allowed: readonly string[] = fieldsOfTask): string {
  if (lettersOf(name) === 'idempotencykey') return allowed === fieldsOfTask ? ': Idempotency-Key is a header' : '';
  const isAllowed = (field: string): boolean => allowed.includes(field.split('.', 1)[0] ?? field);
  const words = (otherWords.get(lettersOf(name)) ?? []).filter(isAllowed);
  if (words.length > 0) return suggestionOf(words);
  // `topic` beside `destination` belongs into it.
  if (isAllowed('destination') && fieldsOfDestinations.includes(name)) return suggestionOf([`destination.${name}`]);
  const near = nearestNames(name, allowed);
  if (near.length > 0 || !isAllowed('destination')) return suggestionOf(near);
  return suggestionOf(nearestNames(name, fieldsOfDestinations).map((field) => `destination.${field}`));
}

/** How many of these names mean no field of a destination of the type, as far as one can tell: `uri` means `url`, of http. */
export function strangersIn(type: DestinationType, names: readonly string[]): number {
  const fields = fieldsOfType.get(type) ?? [];
  return names.filter((name) => otherWordsInDestinations.get(type)?.has(lettersOf(name)) !== true && nearestNames(name, fields).length === 0).length;
}

function hintInDestination(name: string, place: DestinationPlace, type: DestinationType): string {
  const fields = fieldsOfType.get(type) ?? [];
  const word = otherWordsInDestinations.get(type)?.get(lettersOf(name));
  if (word !== undefined) return suggestionOf([word]);
  if (name === 'type') return `: ${place.typeField} stands beside ${place.wire}, not in it`;
  if (fieldsOfTask.includes(name)) return `: ${name} stands beside ${place.wire}, not in it`;
  const others = destinationTypeNames.filter((other) => fieldsOfType.get(other)?.includes(name));
  if (others.length > 0) return `: it belongs to a destination of type ${others.join(' or ')}, and this one is ${type}${place.elseTypeField === undefined ? '' : `; ${place.typeField} says of which type ${place.wire} is`}`;
  const near = nearestNames(name, fields);
  return near.length > 0 ? suggestionOf(near) : `; known: ${fields.join(', ')}`;
}
