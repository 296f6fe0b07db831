import Joi from 'joi';
import type { DestinationField } from '../../shared/domain/destinations/destination-row.js';
import { destinationTypeNames, isDestinationType, rowOf, type DestinationType, type WireDestination } from '../../shared/domain/destinations/destination.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { FieldCheck, TextCheck } from '../../shared/domain/field-check.js';
import type { TaskRules } from '../../shared/domain/task/task-field.js';
import { destinationFields, ignoredFields, parseTask, taskFieldRows, typeNamedFor, type BoundField } from '../../shared/domain/task/task-fields.js';
import type { Task } from '../../shared/domain/task/task.js';
import { checkJsonDepth, type JsonThing } from '../http/json-scan.js';
import { checkKeys, MAX_KEYS } from '../http/object-keys.js';
import { complaintsOf, hintForBoolean, hintForChoice, hintForNumber, hintForText, type ComplaintAbout } from '../http/value-hint.js';
import { MAX_VIOLATIONS, shortViolations } from '../http/short-error.js';
import type { Fields } from './fast-field-check.js';
import { createFastTaskCheck } from './fast-task-check.js';
import { firstFaultsOf } from './first-faults.js';
import { complaintAboutUnknown } from './unknown-field.js';

/**
 * Makes a schema of the rows of task-fields.ts and of the destination types. Only the schema says what is wrong with a
 * task.
 */

const complaints = { 'text.complaint': '{{#label}} {{#complaint}}' };

/** @param maxCharacters the checks are made for texts of this length: some of them take long for a text of 6 MiB */
function text(checks: readonly TextCheck[], maxCharacters = Infinity): Joi.StringSchema {
  const schema = Joi.string()
    .custom((value: string, context) => {
      if (value.length > maxCharacters) return value;
      for (const check of checks) {
        const complaint = check(value);
        if (complaint !== undefined) return context.error('text.complaint', { complaint });
      }
      return value;
    })
    .messages(complaints);
  return maxCharacters === Infinity ? schema : schema.max(maxCharacters);
}

function schemaOfCheck(check: FieldCheck): Joi.Schema {
  switch (check.kind) {
    case 'text':
      return text(check.checks, check.maxCharacters);
    case 'number': {
      let schema = check.isWhole === true ? Joi.number().integer() : Joi.number();
      if (check.min !== undefined) schema = schema.min(check.min);
      if (check.above !== undefined) schema = schema.greater(check.above);
      return schema.max(check.max);
    }
    case 'boolean':
      return Joi.boolean();
    case 'choice':
      return check.isText === true ? Joi.string().valid(...check.choices) : Joi.valid(...check.choices);
    case 'port':
      return Joi.alternatives(Joi.number().integer().min(1).max(65_535), Joi.string().pattern(/^[0-9]{1,5}$/).custom(portInRange)).messages({
        '*': '{{#label}} must be a port from 1 to 65535',
      });
    case 'texts_by_name':
      return Joi.object().pattern(text(check.name), text(check.value).allow(''));
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
    return complaint === undefined ? wire : context.error('text.complaint', { complaint });
  }).messages(complaints);
  return together.length === 0 ? schema : schema.and(...together);
}

function portInRange(value: string, context: Joi.CustomHelpers): string | Joi.ErrorReport {
  const port = Number(value);
  return port >= 1 && port <= 65535 ? value : context.error('any.invalid');
}

const destinationType = Joi.string().valid(...destinationTypeNames);

const destinationSchemas: ReadonlyMap<unknown, Joi.ObjectSchema> = new Map(destinationTypeNames.map((type) => [type, destinationSchema(type)]));
/** Before its type is known, the only rule for a destination is that it is an object. */
const destinationOfUnknownType = Joi.object().unknown(true);

/** Values that the rules for other fields depend on, read from input that has not been checked yet. */
interface Variant {
  /** The types by the wire name of the destination; undefined for an unknown type. */
  readonly types: ReadonlyMap<string, DestinationType | undefined>;
  readonly isParked: boolean;
}

function variantOf(input: unknown): Variant {
  // They are only read here: the schema judges these fields like all others.
  const request = (typeof input === 'object' && input !== null ? input : {}) as Fields;
  const types = new Map(
    destinationFields.map((field) => {
      const type = typeNamedFor(field, request);
      return [field.wire, isDestinationType(type) ? type : undefined];
    }),
  );
  return { types, isParked: request['on_exhausted'] === 'park' };
}

/** One flat schema per variant: Joi.when would put the pieces together anew for every task. */
function taskSchema({ types, isParked }: Variant, rules: TaskRules): Joi.ObjectSchema<Fields> {
  const schemasOf = (row: BoundField): (readonly [name: string, schema: Joi.Schema])[] => {
    const check = typeof row.check === 'function' ? row.check(rules) : row.check;
    // Only "park" allows a task without a dead destination. Every other value, a mistyped on_exhausted included, does
    // not.
    const isRequired = row.presence === 'always' || (row.presence === 'unless_parked' && !isParked);
    if (check.kind !== 'destination') return [[row.wire, needed(schemaOfCheck(check), isRequired)]];
    return [
      [check.typeField, needed(destinationType, check.elseTypeField === undefined)],
      [row.wire, needed(destinationSchemas.get(types.get(row.wire)) ?? destinationOfUnknownType, isRequired)],
    ];
  };
  return Joi.object<Fields>({
    ...Object.fromEntries(taskFieldRows.flatMap(schemasOf)),
    ...Object.fromEntries(ignoredFields.map((name) => [name, Joi.any().strip()])),
  })
    .required()
    .label('task')
    // With convert: false, "3" is no number and "true" no boolean: nothing is repaired silently. The options are set here
    // and not with each task, because Joi would check and merge them every time.
    .prefs({ abortEarly: false, convert: false, errors: { wrap: { label: false } } });
}

function needed(schema: Joi.Schema, isRequired: boolean): Joi.Schema {
  return isRequired ? schema.required() : schema;
}

/** A task as JSON, for an error about it. */
export const aTask: JsonThing = { name: 'the task', code: 'invalid_task' };

/** Turns unknown input into a task, once, at the edge. */
export type ParseTask = (input: unknown) => Task;

/**
 * @returns a parser that throws RequestError invalid_task with the first MAX_VIOLATIONS violations; too_large when the
 *          size of message_data is the only one
 */
export function createTaskParser(rules: TaskRules): ParseTask {
  const isPlainlyRight = createFastTaskCheck(rules);
  const schemas = new Map<string, Joi.ObjectSchema<Fields>>();
  const schemaFor = (input: unknown): Joi.ObjectSchema<Fields> => {
    const variant = variantOf(input);
    const name = `${[...variant.types.values()].join(' ')} ${variant.isParked}`;
    let schema = schemas.get(name);
    if (schema === undefined) schemas.set(name, (schema = taskSchema(variant, rules)));
    return schema;
  };
  return (input) => {
    if (isPlainlyRight(input)) return parseTask(input, rules);
    checkJsonDepth(input, aTask);
    const prototypeKeys = checkAllKeys(input);
    const schema = schemaFor(input);
    const checked = schema.validate(firstFaultsOf(input));
    const violations = [...withoutRepeats(checked.error?.details ?? []).map((fault) => ({ field: fieldOf(fault), message: helpfulMessage(fault, input, schema) })), ...prototypeKeys];
    if (checked.error !== undefined || violations.length > 0) throw refusal(violations, rules.maxMessageBytes, input);
    return parseTask(checked.value, rules);
  };
}

/** A value that is none of the choices, and no text either, is wrong in one way. */
function withoutRepeats(faults: readonly Joi.ValidationErrorItem[]): readonly Joi.ValidationErrorItem[] {
  const chosen = new Set(faults.filter(({ type }) => type === 'any.only').map(({ path }) => path.join('.')));
  return chosen.size === 0 ? faults : faults.filter(({ type, path }) => type !== 'string.base' || !chosen.has(path.join('.')));
}

/** `destination.port` where it is missing: Joi complains of the object that lacks it. */
function fieldOf({ type, path, context }: Joi.ValidationErrorItem): string {
  const missing: unknown = type === 'object.and' ? context?.['missing'] : undefined;
  return [...path, ...(Array.isArray(missing) ? missing.slice(0, 1).map(String) : [])].join('.');
}

/** Joi's own text, and what to write in place of it where a newcomer would have to look that up. */
function helpfulMessage({ type, path, message, context }: Joi.ValidationErrorItem, input: unknown, schema: Joi.ObjectSchema): string {
  const { types } = variantOf(input);
  if (type === 'object.unknown') return complaintAboutUnknown(path, types);
  if (type === 'object.and') return complaintAboutMissing(path, context);
  const value: unknown = context?.['value'];
  if (path.length === 0) return message + hintForNoTask(value);
  return message + hintForField({ type, path, value, choices: context?.['valids'] }, types, complaintsAt(path, schema));
}

function hintForNoTask(value: unknown): string {
  if (Array.isArray(value)) return ': POST /tasks/batch takes an array of tasks, with Content-Type: application/json';
  return typeof value === 'string' && /^\s*[{[]/.test(value) ? ': it is a text with JSON in it, so it was stringified twice' : '';
}

/** `destination.port is required, since there is destination.host` */
function complaintAboutMissing(path: Joi.ValidationErrorItem['path'], context: Joi.Context | undefined): string {
  const named = (names: unknown): string => (Array.isArray(names) ? names.map((name) => [...path, name].join('.')).join(' and ') : '');
  return `${named(context?.['missing'])} is required, since there is ${named(context?.['present'])}`;
}

interface WrongValue {
  /** Joi's name of the fault. */
  readonly type: string;
  readonly path: Joi.ValidationErrorItem['path'];
  readonly value: unknown;
  /** What may stand there, where that is a list. */
  readonly choices: unknown;
}

/** A name that the client chose has no schema of its own. Its text may be any that a number or a boolean can become. */
function complaintsAt(path: Joi.ValidationErrorItem['path'], schema: Joi.ObjectSchema): ComplaintAbout {
  const names = path.map(String);
  return fieldsOfFreeKeys.has(names[1] ?? '') ? () => undefined : complaintsOf(schema.extract(names));
}

function hintForField({ type, path, value, choices }: WrongValue, types: ReadonlyMap<string, DestinationType | undefined>, complaintAbout: ComplaintAbout): string {
  const field = String(path.at(-1));
  switch (type) {
    case 'number.base':
      return hintForNumber(value, complaintAbout, { isInSeconds: field.endsWith('_delay') });
    case 'boolean.base':
      return hintForBoolean(value);
    case 'any.only':
      return Array.isArray(choices) ? hintForChoice(value, choices.map(String), field.endsWith('_type') ? wordsForTypes : undefined) : '';
    case 'object.base':
      return hintForObject(path, value, types);
    case 'string.base':
      return hintForTextIn(path, value, complaintAbout);
    default:
      return '';
  }
}

/** What other systems call the types of destinations. */
const wordsForTypes: ReadonlyMap<string, string> = new Map([
  ...['https', 'webhook', 'webhooks', 'url', 'rest', 'api', 'endpoint', 'callback'].map((word) => [word, 'http'] as const),
  ...['topic', 'kafka_topic', 'kafka-topic', 'kafkatopic'].map((word) => [word, 'kafka'] as const),
]);

function hintForObject(path: Joi.ValidationErrorItem['path'], value: unknown, types: ReadonlyMap<string, DestinationType | undefined>): string {
  if (path.at(-1) === 'headers') return ', as in "headers":{"X-Name":"value"}';
  const field = String(path[0]);
  const type = types.get(field);
  if (typeof value !== 'string' || type === undefined) return '';
  return `, as in "${field}":${type === 'http' ? '{"url":"https://api.example.com/orders"}' : '{"topic":"orders"}'}`;
}

function hintForTextIn(path: Joi.ValidationErrorItem['path'], value: unknown, complaintAbout: ComplaintAbout): string {
  const isMessage = path[0] === 'message_data';
  if (typeof value !== 'object' || value === null) return isMessage ? '' : hintForText(value, complaintAbout);
  if (!isMessage && !path.includes('headers')) return '';
  return `: JSON.stringify it${isMessage ? String.raw`, as in "message_data":"{\"a\":1}"` : ''}`;
}

function checkAllKeys(input: unknown): { field: string; message: string }[] {
  const check = (value: unknown, path: string, maxKeys: number): { field: string; message: string }[] =>
    checkKeys(value, { what: path === '' ? 'task' : path, path, maxKeys, code: 'invalid_task' });
  const found = check(input, '', MAX_KEYS);
  if (typeof input !== 'object' || input === null) return found;
  for (const { wire } of destinationFields) {
    const destination = (input as Fields)[wire];
    found.push(...check(destination, wire, MAX_KEYS));
    if (typeof destination !== 'object' || destination === null) continue;
    // All of them are checked, since a task may have fields of another type as well.
    for (const [field, maxNames] of fieldsOfFreeKeys) found.push(...check((destination as Fields)[field], `${wire}.${field}`, maxNames));
  }
  return found;
}

/** Fields of destinations whose keys a client chooses, and the largest number of keys in each. */
const fieldsOfFreeKeys = new Map<string, number>();
for (const type of destinationTypeNames) {
  for (const [name, { check }] of Object.entries<DestinationField>(rowOf(type).fields)) {
    if (check.kind === 'texts_by_name') fieldsOfFreeKeys.set(name, Math.max(check.maxNames, fieldsOfFreeKeys.get(name) ?? 0));
  }
}

function refusal(violations: readonly { field: string; message: string }[], maxMessageBytes: number, input: unknown): RequestError {
  const details = shortViolations(violations);
  const summary = details.map(({ message }) => message).join('; ');
  const more = violations.length > MAX_VIOLATIONS ? '; and more' : '';
  const isOnlyTooLarge = details.length === 1 && details[0]?.field === 'message_data' && sizeOfMessage(input) > maxMessageBytes;
  return new RequestError(isOnlyTooLarge ? 'too_large' : 'invalid_task', `${summary}${more}`, details, isOnlyTooLarge ? { notes: { limit: 'MAX_MESSAGE_BYTES' } } : {});
}

function sizeOfMessage(input: unknown): number {
  const data = typeof input === 'object' && input !== null && 'message_data' in input ? input.message_data : undefined;
  return typeof data === 'string' ? Buffer.byteLength(data) : 0;
}
