import { jitters } from '../../shared/domain/task/retry-policy.js';
import { hasNoControls, isAtMost, isShort, isWellFormed, type TextCheck } from '../../shared/domain/field-check.js';
import { isDestinationType } from '../../shared/domain/destinations/destination.js';
import { hasOnly, isFields, isPlainDestination } from './fast-field-check.js';
import { MAX_DELAY_SECONDS, MAX_INITIAL_DELAY_SECONDS, MAX_RETRIES, type TaskRules, type WireTask } from './wire-task.js';

/**
 * Recognises a task that is plainly right, without Joi, which takes as long for it as everything else that is done with
 * a task before it is sent to Redis. It judges nobody: what is not plainly right, for whatever reason, is left to the
 * schema. A test compares the two: whatever is accepted here, the schema accepts, and makes the same of it.
 *
 * @returns the task with its defaults, or undefined: ask the schema
 */
export function passFastCheck(input: unknown, { maxMessageBytes, defaultJitter }: TaskRules): WireTask | undefined {
  if (!isFields(input)) return undefined;
  const {
    id,
    source,
    client_id,
    destination_type,
    destination,
    dead_destination_type = destination_type,
    dead_destination,
    on_exhausted = 'dead_letter',
    max_retries,
    base_delay,
    initial_delay = base_delay,
    max_delay = MAX_DELAY_SECONDS,
    jitter = defaultJitter,
    message_data,
    is_priority = false,
    flow_key,
  } = input;
  const isPlainlyRight =
    hasOnly(taskFields, input) &&
    isText(id, isWellFormed, hasNoControls, isShort) &&
    isText(source, isWellFormed, hasNoControls, isShort) &&
    isText(client_id, isWellFormed, hasNoControls, isShort) &&
    isPlainDestination(destination_type, destination) &&
    isDestinationType(dead_destination_type) &&
    (on_exhausted === 'park' || on_exhausted === 'dead_letter') &&
    (dead_destination === undefined ? on_exhausted === 'park' : isPlainDestination(dead_destination_type, dead_destination)) &&
    Number.isInteger(max_retries) &&
    isNumber(max_retries, 0, MAX_RETRIES) &&
    isNumber(base_delay, Number.MIN_VALUE, MAX_DELAY_SECONDS) &&
    isNumber(initial_delay, 0, MAX_INITIAL_DELAY_SECONDS) &&
    isNumber(max_delay, Number.MIN_VALUE, MAX_DELAY_SECONDS) &&
    jitters.some((known) => known === jitter) &&
    (flow_key === undefined || isText(flow_key, isWellFormed, hasNoControls, isShort)) &&
    isText(message_data, isWellFormed, isAtMost(maxMessageBytes)) &&
    typeof is_priority === 'boolean';
  if (!isPlainlyRight) return undefined;
  // Looked at field by field above.
  return { id, source, client_id, destination_type, destination, dead_destination_type, dead_destination, on_exhausted, max_retries, base_delay, initial_delay, max_delay, jitter, message_data, is_priority, flow_key } as WireTask;
}

const taskFields = new Set([
  ...['id', 'source', 'client_id', 'destination_type', 'destination', 'dead_destination_type', 'dead_destination', 'on_exhausted'],
  ...['max_retries', 'base_delay', 'initial_delay', 'max_delay', 'jitter', 'message_data', 'is_priority', 'flow_key'],
]);

function isText(value: unknown, ...checks: readonly TextCheck[]): value is string {
  return typeof value === 'string' && value !== '' && checks.every((check) => check(value) === undefined);
}

/** -0 is left to the schema, which makes 0 of it. */
function isNumber(value: unknown, min: number, max: number): boolean {
  return !Object.is(value, -0) && typeof value === 'number' && value >= min && value <= max;
}
