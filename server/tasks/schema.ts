import Joi from 'joi';
import type { DestinationField } from '../../shared/domain/destinations/destination-row.js';
import { destinationTypeNames, isDestinationType, rowOf, type Destination, type DestinationType, type WireDestination } from '../../shared/domain/destinations/destination.js';
import { RequestError } from '../../shared/domain/errors.js';
import { hasNoControls, isAtMost, isShort, isWellFormed, type FieldCheck, type TextCheck } from '../../shared/domain/field-check.js';
import { jitters } from '../../shared/domain/task/retry-policy.js';
import type { Task } from '../../shared/domain/task/task.js';
import { checkKeys, MAX_KEYS } from '../http/object-keys.js';
import { passFastCheck } from './fast-task-check.js';
import { MAX_DELAY_SECONDS, MAX_INITIAL_DELAY_SECONDS, MAX_RETRIES, type TaskRules, type WireTask } from './wire-task.js';

/** The rules of a submission; design, section 3. Wire names (snake_case) become ours here, and nowhere else. */

function text(...checks: readonly TextCheck[]): Joi.StringSchema {
  return Joi.string().custom((value: string, context) => {
    for (const check of checks) {
      const complaint = check(value);
      if (complaint !== undefined) return context.message({ custom: `{{#label}} ${complaint}` });
    }
    return value;
  });
}

const shortText = text(isWellFormed, hasNoControls, isShort);

function schemaOfCheck(check: FieldCheck): Joi.Schema {
  switch (check.kind) {
    case 'text': {
      const schema = text(...check.checks);
      return check.maxCharacters === undefined ? schema : schema.max(check.maxCharacters);
    }
    case 'number': {
      let schema = check.isWhole === true ? Joi.number().integer() : Joi.number();
      if (check.min !== undefined) schema = schema.min(check.min);
      if (check.above !== undefined) schema = schema.greater(check.above);
      return schema.max(check.max);
    }
    case 'boolean':
      return Joi.boolean();
    case 'choice':
      return Joi.valid(...check.choices);
    case 'port':
      return Joi.alternatives(Joi.number().integer().min(1).max(65_535), Joi.string().pattern(/^[0-9]{1,5}$/).custom(portInRange)).messages({
        '*': '{{#label}} must be a port from 1 to 65535',
      });
    case 'texts_by_name':
      return Joi.object().pattern(text(...check.name), text(...check.value).allow(''));
  }
}

function destinationSchema(type: DestinationType): Joi.ObjectSchema {
  const { fields, together = [], ...row } = rowOf(type);
  const keys = Object.entries<DestinationField>(fields).map(([name, { check, isRequired }]) => {
    const schema = schemaOfCheck(check);
    return [name, isRequired ? schema.required() : schema] as const;
  });
  const schema = Joi.object(Object.fromEntries(keys)).custom((wire: WireDestination, context) => {
    const complaint = row.checkAll?.(wire);
    return complaint === undefined ? wire : context.message({ custom: `{{#label}} ${complaint}` });
  });
  return together.length === 0 ? schema : schema.and(...together);
}

function portInRange(value: string, context: Joi.CustomHelpers): string | Joi.ErrorReport {
  const port = Number(value);
  return port >= 1 && port <= 65535 ? value : context.error('any.invalid');
}

const destinationType = Joi.string().valid(...destinationTypeNames);

type Shape = DestinationType | 'unknown';

const destinationShapes: ReadonlyMap<Shape, Joi.ObjectSchema> = new Map(destinationTypeNames.map((type) => [type, destinationSchema(type)]));
/** Until its type is known, nothing can be said of a destination but that it is an object. */
const unknownShape = Joi.object().unknown(true);

/** What the rules for other fields depend on, read from input that nobody has checked yet. */
interface Variant {
  readonly destination: Shape;
  readonly deadDestination: Shape;
  readonly isParkedWhenExhausted: boolean;
}

function variantOf(input: unknown): Variant {
  // Only looked at: the schema judges these fields like all others.
  const { destination_type: type, dead_destination_type: deadType, on_exhausted: onExhausted } = (typeof input === 'object' && input !== null ? input : {}) as Readonly<Record<string, unknown>>;
  return { destination: shapeOf(type), deadDestination: shapeOf(deadType === undefined ? type : deadType), isParkedWhenExhausted: onExhausted === 'park' };
}

function shapeOf(type: unknown): Shape {
  return isDestinationType(type) ? type : 'unknown';
}

/** One flat schema per variant: Joi.when would put the pieces together anew for every task. */
function taskSchema(variant: Variant, { maxMessageBytes, defaultJitter }: TaskRules): Joi.ObjectSchema<WireTask> {
  const deadDestination = destinationShapes.get(variant.deadDestination) ?? unknownShape;
  return Joi.object<WireTask & { attempt?: unknown }>({
    id: shortText.required(),
    source: shortText.required(),
    client_id: shortText.required(),
    destination_type: destinationType.required(),
    destination: (destinationShapes.get(variant.destination) ?? unknownShape).required(),
    dead_destination_type: destinationType,
    // Only "park" frees a task from having one: anything else, a mistyped on_exhausted included, does not.
    dead_destination: variant.isParkedWhenExhausted ? deadDestination : deadDestination.required(),
    on_exhausted: Joi.string().valid('dead_letter', 'park').default('dead_letter'),
    max_retries: Joi.number().integer().min(0).max(MAX_RETRIES).required(),
    base_delay: Joi.number().greater(0).max(MAX_DELAY_SECONDS).required(),
    initial_delay: Joi.number().min(0).max(MAX_INITIAL_DELAY_SECONDS),
    max_delay: Joi.number().greater(0).max(MAX_DELAY_SECONDS).default(MAX_DELAY_SECONDS),
    jitter: Joi.valid(...jitters).default(defaultJitter),
    message_data: text(isWellFormed, isAtMost(maxMessageBytes)).required(),
    is_priority: Joi.boolean().default(false),
    flow_key: shortText,
    // Written by older clients; means nothing any more.
    attempt: Joi.any().strip(),
  })
    .required()
    .label('task')
    // convert: false, so that "3" is no number and "true" no boolean: nothing is repaired silently. Set here and not
    // with each task: Joi would check and merge them every time.
    .prefs({ abortEarly: false, convert: false, errors: { wrap: { label: false } } });
}

/** Turns unknown input into a task, once, at the edge. */
export type ParseTask = (input: unknown) => Task;

/**
 * @returns a parser that throws RequestError invalid_task with every violation at once; too_large when the size of
 *          message_data is the only one
 */
export function createTaskParser(rules: TaskRules): ParseTask {
  const schemas = new Map<string, Joi.ObjectSchema<WireTask>>();
  const schemaFor = (input: unknown): Joi.ObjectSchema<WireTask> => {
    const variant = variantOf(input);
    const name = `${variant.destination} ${variant.deadDestination} ${variant.isParkedWhenExhausted}`;
    let schema = schemas.get(name);
    if (schema === undefined) schemas.set(name, (schema = taskSchema(variant, rules)));
    return schema;
  };
  return (input) => {
    const plain = passFastCheck(input, rules);
    if (plain !== undefined) return toTask(plain);
    const prototypeKeys = checkAllKeys(input);
    const checked = schemaFor(input).validate(input);
    const violations = [...(checked.error?.details ?? []).map(({ path, message }) => ({ field: path.join('.'), message })), ...prototypeKeys];
    if (checked.error !== undefined || violations.length > 0) throw refusal(violations, rules.maxMessageBytes, input);
    return toTask(checked.value);
  };
}

function checkAllKeys(input: unknown): { field: string; message: string }[] {
  const check = (value: unknown, path: string, maxKeys: number): { field: string; message: string }[] =>
    checkKeys(value, { what: path === '' ? 'task' : path, path, maxKeys, code: 'invalid_task' });
  const found = check(input, '', MAX_KEYS);
  if (typeof input !== 'object' || input === null) return found;
  for (const name of ['destination', 'dead_destination'] as const) {
    const destination: unknown = (input as Partial<Record<typeof name, unknown>>)[name];
    found.push(...check(destination, name, MAX_KEYS));
    if (typeof destination !== 'object' || destination === null) continue;
    // Whatever the type is: the fields of another type are looked into as well.
    for (const [field, maxNames] of fieldsOfFreeKeys) {
      found.push(...check((destination as Readonly<Record<string, unknown>>)[field], `${name}.${field}`, maxNames));
    }
  }
  return found;
}

/** Fields of destinations whose keys a client chooses, and how many a type takes at most. */
const fieldsOfFreeKeys = new Map<string, number>();
for (const type of destinationTypeNames) {
  for (const [name, { check }] of Object.entries<DestinationField>(rowOf(type).fields)) {
    if (check.kind === 'texts_by_name') fieldsOfFreeKeys.set(name, Math.max(check.maxNames, fieldsOfFreeKeys.get(name) ?? 0));
  }
}

function refusal(details: readonly { field: string; message: string }[], maxMessageBytes: number, input: unknown): RequestError {
  const summary = details.map(({ message }) => message).join('; ');
  const isOnlyTooLarge = details.length === 1 && details[0]?.field === 'message_data' && sizeOfMessage(input) > maxMessageBytes;
  return new RequestError(isOnlyTooLarge ? 'too_large' : 'invalid_task', summary, details);
}

function sizeOfMessage(input: unknown): number {
  const data = typeof input === 'object' && input !== null && 'message_data' in input ? input.message_data : undefined;
  return typeof data === 'string' ? Buffer.byteLength(data) : 0;
}

function toTask(wire: WireTask): Task {
  const baseDelayMs = secondsToMs(wire.base_delay);
  return {
    id: wire.id,
    source: wire.source,
    clientId: wire.client_id,
    destination: toDestination(wire.destination_type, wire.destination),
    deadDestination: wire.dead_destination === undefined ? undefined : toDestination(wire.dead_destination_type ?? wire.destination_type, wire.dead_destination),
    onExhausted: wire.on_exhausted,
    retryPolicy: {
      maxRetries: wire.max_retries,
      baseDelayMs,
      initialDelayMs: wire.initial_delay === undefined ? baseDelayMs : secondsToMs(wire.initial_delay),
      maxDelayMs: secondsToMs(wire.max_delay),
      jitter: wire.jitter,
    },
    isPriority: wire.is_priority,
    flowKey: wire.flow_key,
    messageData: wire.message_data,
  };
}

function toDestination(type: DestinationType, wire: WireDestination): Destination {
  return rowOf(type).parse(wire);
}

/** 2.007 s is 2007 ms, not the 2007.0000000000002 that floating point makes of it. */
function secondsToMs(seconds: number): number {
  return Number.isInteger(seconds) ? seconds * 1_000 : Number((seconds * 1_000).toPrecision(15));
}
