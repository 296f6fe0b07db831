import Joi from 'joi';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../shared/domain/errors.js';
import { isAddressable } from '../../shared/domain/field-check.js';
import { canonicalName, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import type { FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import { checkJsonDepth } from '../http/json-scan.js';
import { checkKeys, MAX_KEYS } from '../http/object-keys.js';
import { shortViolations } from '../http/short-error.js';

/** What may be asked of destinations. Wire names (snake_case) become our names here. */

/** A url that a person pastes may be as long as that of a task. Its name is decided by host names and topics. */
const MAX_PASTED_CHARACTERS = 8_192;
const MAX_NAME_CHARACTERS = 1_024;

export const DEFAULT_LISTED = 100;
export const MAX_LISTED = 1_000;

interface WirePolicy {
  readonly max_concurrency?: number;
  readonly rate?: number;
  readonly burst?: number;
  readonly paused?: boolean;
}

const policySchema = Joi.object<WirePolicy>({
  max_concurrency: Joi.number().integer().min(1).max(100_000),
  rate: Joi.number().min(0.001).max(1_000_000),
  burst: Joi.number().integer().min(1).max(100_000),
  paused: Joi.boolean(),
})
  .with('burst', 'rate')
  .messages({ 'object.with': 'burst needs a rate' })
  .required()
  .label('the body');

/**
 * @returns undefined when nothing is set
 * @throws RequestError invalid_request with the first 20 violations
 */
export function parsePolicy(input: unknown): FlowPolicy | undefined {
  checkJsonDepth(input, { name: 'the body', code: 'invalid_request' });
  const prototypeKeys = checkKeys(input, { what: 'the body', path: '', maxKeys: MAX_KEYS, code: 'invalid_request' });
  // With convert: false, "3" is no number and "true" no boolean: nothing is repaired silently.
  const checked = policySchema.validate(input, { abortEarly: false, convert: false, errors: { wrap: { label: false } } });
  const violations = [...(checked.error?.details ?? []).map(({ type, path, message }) => ({ field: type === 'object.with' ? 'burst' : path.join('.'), message })), ...prototypeKeys];
  if (checked.error !== undefined || violations.length > 0) {
    const details = shortViolations(violations);
    throw new RequestError('invalid_request', details.map(({ message }) => message).join('; '), details);
  }
  const { max_concurrency: maxConcurrency, rate: ratePerSecond, burst, paused } = checked.value;
  const policy = {
    ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
    ...(burst === undefined ? {} : { burst }),
    ...(paused === true ? { isPaused: true } : {}),
  };
  return Object.keys(policy).length === 0 ? undefined : policy;
}

/**
 * The name in the path. For an http(s) url it is the origin, with the path if there is one, for a broker of KAFKA_BROKERS `kafka://default`.
 * @throws RequestError invalid_request for a text that is the name of no destination. `.` and `..` are none, as they are no
 *         `flow_key`: in a path they mean a step, so most clients cannot ask for them.
 */
export function parseName(text: string, defaultBrokers?: DefaultBrokers, mask?: PathMask): string {
  if (text.length > MAX_PASTED_CHARACTERS) refuseKey(`must not be longer than ${MAX_PASTED_CHARACTERS} characters`);
  if (!text.isWellFormed()) refuseKey('must be well-formed Unicode (it has half of a surrogate pair)');
  if (/\p{Cc}/u.test(text)) refuseKey('must not contain control characters');
  const complaint = isAddressable(text);
  if (complaint !== undefined) refuseKey(complaint);
  const name = canonicalName(text, defaultBrokers, mask);
  if (name.length > MAX_NAME_CHARACTERS && [...name].length > MAX_NAME_CHARACTERS) refuseKey(`must not be longer than ${MAX_NAME_CHARACTERS} characters`);
  return name;
}

function refuseKey(complaint: string): never {
  const message = `key ${complaint}`;
  throw new RequestError('invalid_request', message, [{ field: 'key', message }]);
}

/** @throws RequestError invalid_request */
export function parseLimit(query: unknown): number {
  if (query === undefined) return DEFAULT_LISTED;
  const limit = typeof query === 'string' && /^[0-9]{1,4}$/.test(query) ? Number(query) : 0;
  if (limit >= 1 && limit <= MAX_LISTED) return limit;
  const message = `limit must be a whole number from 1 to ${MAX_LISTED}`;
  throw new RequestError('invalid_request', message, [{ field: 'limit', message }]);
}
