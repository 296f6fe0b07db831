import { decodeDestination, encodeDestination, isDestinationType, rowOf, type Destination, type WireDestination } from '../destinations/destination.js';
import { shownFlowKey } from '../destinations/http.js';
import { isAtMost, isWellFormed, nameCheck, pathNameCheck } from '../field-check.js';
import { jitters, type Jitter, type RetryPolicy } from './retry-policy.js';
import { UNREADABLE, type CheckedFields, type DestinationCheck, type TaskField, type TaskRules, type Unreadable } from './task-field.js';
import type { Task } from './task.js';
import { taskIdCheck } from './task-id.js';

/** All values that a task holds, by name. */
type Values = Omit<Task, 'retryPolicy'> & RetryPolicy;
type PlaceOf<Name> = Name extends keyof RetryPolicy ? { readonly isPolicy: true } : { readonly isPolicy?: never };

const MAX_RETRIES = 100;
const MAX_DELAY_SECONDS = 86_400;
const MAX_INITIAL_DELAY_SECONDS = 31_536_000;

const needed = {
  presence: 'always',
  absent(): never {
    throw new RangeError('a field that a task must have is missing, and no check has seen it');
  },
} as const;

const seconds = { isPolicy: true, parse: secondsToMs, content: 'positional', shown: 'policy' } as const;

function neededText<const Wire extends string, const Letter extends string>(wire: Wire, letter: Letter) {
  return { ...needed, wire, letter, check: nameCheck, parse: (value: string) => value, encode: (value: string) => value, decode: readText, content: 'positional' } as const;
}

/** The order of the docs, of error texts, of answers and, except for the message, of stored data. */
export const taskFields: { readonly [Name in keyof Values]: TaskField<Values[Name]> & PlaceOf<Name> } = {
  id: { read: (task) => task.id, ...neededText('id', 'i'), check: taskIdCheck, isFixed: true, shown: 'nowhere', doc: 'your id of the task; everything else about it is asked by this id' },
  source: { read: (task) => task.source, ...neededText('source', 's'), isFixed: true, shown: 'nowhere', doc: 'the system it comes from' },
  clientId: { read: (task) => task.clientId, ...neededText('client_id', 'c'), isFixed: true, shown: 'nowhere', doc: 'who hands it over' },
  destination: {
    read: (task) => task.destination,
    ...needed,
    wire: 'destination',
    check: { kind: 'destination', typeField: 'destination_type', typeDoc: 'which type of destination, and so which fields `destination` has' },
    parse: (value: WireDestination, { destination_type: type }) => parseDestination(type, value),
    letter: 'd',
    encode: encodeDestination,
    decode: readDestination,
    content: 'positional',
    canonical: canonicalDestination,
    shown: 'body',
    show: (destination, mask) => ({ destination_type: destination.type, destination: rowOf(destination.type).toWire(destination, mask) }),
    submitted: (destination) => ({ destination_type: destination.type, destination: rowOf(destination.type).unparse(destination) }),
    doc: 'where it is delivered',
  },
  deadDestination: {
    read: (task) => task.deadDestination,
    wire: 'dead_destination',
    presence: 'unless_parked',
    check: { kind: 'destination', typeField: 'dead_destination_type', elseTypeField: 'destination_type', typeDoc: 'where it differs from `destination_type`' },
    parse: (value: WireDestination, { destination_type: type, dead_destination_type: deadType = type }) => parseDestination(deadType, value),
    absent: () => undefined,
    letter: 'x',
    encode: (destination) => (destination === undefined ? undefined : encodeDestination(destination)),
    decode: (stored) => (stored === undefined ? undefined : readDestination(stored)),
    content: 'positional',
    canonical: (destination) => (destination === undefined ? null : canonicalDestination(destination)),
    shown: 'body',
    show: (destination, mask) =>
      destination === undefined ? {} : { dead_destination_type: destination.type, dead_destination: rowOf(destination.type).toWire(destination, mask) },
    submitted: (destination) => (destination === undefined ? {} : { dead_destination_type: destination.type, dead_destination: rowOf(destination.type).unparse(destination) }),
    doc: 'where it is delivered when its retries are used up',
  },
  onExhausted: {
    read: (task) => task.onExhausted,
    wire: 'on_exhausted',
    presence: 'optional',
    check: { kind: 'choice', choices: ['dead_letter', 'park'], isText: true },
    parse: (value: Task['onExhausted']) => value,
    absent: () => 'dead_letter',
    fallback: '`dead_letter`',
    letter: 'k',
    encode: (value) => (value === 'park' ? 1 : undefined),
    decode: (stored) => (stored === undefined ? 'dead_letter' : stored === 1 ? 'park' : UNREADABLE),
    content: 'positional',
    shown: 'body',
    doc: '`park`: keep it until a person acts, instead of a dead delivery',
  },
  maxRetries: {
    read: (task) => task.retryPolicy.maxRetries,
    ...needed,
    wire: 'max_retries',
    isPolicy: true,
    check: { kind: 'number', isWhole: true, min: 0, max: MAX_RETRIES },
    parse: (value: number) => value,
    letter: 'r',
    encode: (value) => value,
    decode: readNumber,
    content: 'positional',
    shown: 'policy',
    doc: 'sends in all: `max_retries` + 1',
  },
  baseDelayMs: {
    read: (task) => task.retryPolicy.baseDelayMs,
    ...needed,
    ...seconds,
    wire: 'base_delay',
    check: { kind: 'number', above: 0, max: MAX_DELAY_SECONDS },
    letter: 'b',
    encode: (value) => value,
    decode: readNumber,
    show: (ms) => ({ base_delay: ms / 1_000 }),
    submitted: (ms) => ({ base_delay: ms / 1_000 }),
    doc: 'wait after the first failure, in seconds; doubles with each further one',
  },
  initialDelayMs: {
    read: (task) => task.retryPolicy.initialDelayMs,
    ...seconds,
    wire: 'initial_delay',
    presence: 'optional',
    check: { kind: 'number', min: 0, max: MAX_INITIAL_DELAY_SECONDS },
    absent: ({ base_delay: baseDelay }) => secondsToMs(Number(baseDelay)),
    fallback: '`base_delay`',
    letter: 'n',
    encode: (value, { retryPolicy }) => (value === retryPolicy.baseDelayMs ? undefined : value),
    decode: (stored, sibling) => readNumber(stored ?? sibling('b')),
    show: (ms) => ({ initial_delay: ms / 1_000 }),
    submitted: (ms) => ({ initial_delay: ms / 1_000 }),
    isFixed: true,
    doc: 'wait before the first send, in seconds; 0: at once',
  },
  maxDelayMs: {
    read: (task) => task.retryPolicy.maxDelayMs,
    ...seconds,
    wire: 'max_delay',
    presence: 'optional',
    check: { kind: 'number', above: 0, max: MAX_DELAY_SECONDS },
    absent: () => MAX_DELAY_SECONDS * 1_000,
    fallback: String(MAX_DELAY_SECONDS),
    letter: 'l',
    encode: (value) => value,
    decode: readNumber,
    show: (ms) => ({ max_delay: ms / 1_000 }),
    submitted: (ms) => ({ max_delay: ms / 1_000 }),
    doc: 'longest wait after a failure, in seconds',
  },
  jitter: {
    read: (task) => task.retryPolicy.jitter,
    wire: 'jitter',
    isPolicy: true,
    presence: 'optional',
    check: { kind: 'choice', choices: jitters },
    parse: (value: Jitter) => value,
    absent: (_wire, { defaultJitter }) => defaultJitter,
    fallback: '`RETRY_JITTER`',
    letter: 'j',
    encode: (value) => (value === 'none' ? undefined : value),
    decode: (stored) => (stored === undefined ? 'none' : (jitters.find((jitter) => jitter === stored) ?? UNREADABLE)),
    content: 'named',
    shown: 'policy',
    doc: 'how far the waits after failures are spread',
  },
  messageData: {
    read: (task) => task.messageData,
    ...needed,
    wire: 'message_data',
    check: ({ maxMessageBytes }) => ({ kind: 'text', checks: [isWellFormed, isAtMost(maxMessageBytes)], allowed: 'text of at most `MAX_MESSAGE_BYTES`' }),
    parse: (value: string) => value,
    letter: 'm',
    encode: (value) => value,
    decode: readText,
    content: 'positional',
    shown: 'nowhere',
    doc: 'the message; delivered byte for byte as UTF-8',
  },
  isPriority: {
    read: (task) => task.isPriority,
    wire: 'is_priority',
    presence: 'optional',
    check: { kind: 'boolean' },
    parse: (value: boolean) => value,
    absent: () => false,
    fallback: '`false`',
    letter: 'p',
    encode: (value) => (value ? 1 : undefined),
    decode: (stored) => (stored === undefined ? false : stored === 1 ? true : UNREADABLE),
    content: 'positional',
    shown: 'body',
    doc: 'due priority tasks go before due normal ones',
  },
  flowKey: {
    read: (task) => task.flowKey,
    wire: 'flow_key',
    presence: 'optional',
    check: pathNameCheck,
    parse: (value: string) => value,
    absent: () => undefined,
    letter: 'f',
    encode: (value) => value,
    decode: (stored) => (stored === undefined ? undefined : readText(stored)),
    content: 'named',
    shown: 'body',
    show: (value, mask) => (value === undefined ? {} : { flow_key: shownFlowKey(value, mask) }),
    doc: 'a name of your choice: limits, pauses and counts of its deliveries go by it instead of by destination',
  },
};

/** Older clients send it. It is accepted, and has no meaning. */
export const ignoredFields: readonly string[] = ['attempt'];

export interface BoundField extends TaskField<unknown> {
  /** Its name in Task or in RetryPolicy. */
  readonly name: string;
  readonly isPolicy: boolean;
}

// All rows have one shape, because V8 remembers only a few shapes at one place. The loops over rows cost 2 µs more than
// code by hand; this shape and `read` save 1 µs of them.
const oneShape = Object.fromEntries(
  [...new Set(['name', 'isPolicy', ...Object.values<object>(taskFields).flatMap((row) => Object.keys(row))])].map((member) => [member, undefined]),
);

/** The rows, for loops over all of them. A method of a row takes only values of its own field, which is not checked here. */
export const taskFieldRows: readonly BoundField[] = Object.entries<TaskField<unknown> & { readonly isPolicy?: true }>(taskFields).map(([name, row]) => ({
  ...oneShape,
  ...row,
  name,
  isPolicy: row.isPolicy === true,
}));

export interface DestinationPlace extends Omit<DestinationCheck, 'kind'> {
  readonly wire: string;
}

export const destinationFields: readonly DestinationPlace[] = taskFieldRows.flatMap(({ wire, check }) => ('typeField' in check ? [{ ...check, wire }] : []));

/** The type of a destination of a request, as the request says it; unchecked, like the request. */
export function typeNamedFor({ typeField, elseTypeField }: Pick<DestinationPlace, 'typeField' | 'elseTypeField'>, request: CheckedFields): unknown {
  const type = request[typeField];
  return type === undefined && elseTypeField !== undefined ? request[elseTypeField] : type;
}

// Copies of these have all their members from the start, so that setting one does not change their shape.
const emptyTask = withoutValues([...taskFieldRows.filter(({ isPolicy }) => !isPolicy).map(({ name }) => name), 'retryPolicy']);
const emptyPolicy = withoutValues(taskFieldRows.filter(({ isPolicy }) => isPolicy).map(({ name }) => name));

function withoutValues(names: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** @param valueFor asked once for each row, in order */
export function buildTask(valueFor: (row: BoundField) => unknown): Task {
  const task: Record<string, unknown> = { ...emptyTask };
  const retryPolicy: Record<string, unknown> = { ...emptyPolicy };
  for (const row of taskFieldRows) (row.isPolicy ? retryPolicy : task)[row.name] = valueFor(row);
  task['retryPolicy'] = retryPolicy;
  // Every member has a row, by the type of the table, and every row has set its member.
  return task as unknown as Task;
}

/** @param wire a request that was checked by the rows */
export function parseTask(wire: CheckedFields, rules: TaskRules): Task {
  return buildTask((row) => {
    const value = wire[row.wire];
    return value === undefined ? row.absent(wire, rules) : row.parse(value, wire);
  });
}

function parseDestination(type: unknown, wire: WireDestination): Destination {
  if (!isDestinationType(type)) throw new RangeError('a type of destination that no check has seen');
  return rowOf(type).parse(wire);
}

function canonicalDestination(destination: Destination): readonly unknown[] {
  return rowOf(destination.type).canonical(destination);
}

function readDestination(stored: unknown): Destination | Unreadable {
  return decodeDestination(stored) ?? UNREADABLE;
}

function readText(stored: unknown): string | Unreadable {
  return typeof stored === 'string' ? stored : UNREADABLE;
}

function readNumber(stored: unknown): number | Unreadable {
  return typeof stored === 'number' ? stored : UNREADABLE;
}

/** 2.007 s is 2007 ms, not the 2007.0000000000002 that floating point makes of it. */
function secondsToMs(value: number): number {
  return Number.isInteger(value) ? value * 1_000 : Number((value * 1_000).toPrecision(15));
}
