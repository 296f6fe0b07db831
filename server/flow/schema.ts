import Joi from 'joi';
import { RequestError } from '../../shared/domain/errors.js';
import type { FlowLimits } from '../../shared/domain/flow/flow-policy.js';
import type { WireViolation } from '../../shared/wire/error.js';
import { isReason, REASON_RULE } from '../http/asked-change.js';
import { checkJsonDepth } from '../http/json-scan.js';
import { lettersOf, nearestNames, suggestionOf } from '../http/nearest-name.js';
import { checkKeys, MAX_KEYS } from '../http/object-keys.js';
import { parseInstant } from '../../shared/domain/parse-instant.js';
import { shortViolations } from '../http/short-error.js';
import { complaintsOf, hintForNumber } from '../http/value-hint.js';

/** What may be asked of destinations. Wire names (snake_case) become our names here. */

interface WireLimits {
  readonly max_concurrency?: number;
  readonly rate?: number;
  readonly burst?: number;
  readonly reason?: string;
  /** It is refused. */
  readonly paused?: unknown;
}

const PAUSED_IS_ELSEWHERE = 'is not set with the limits: POST /destinations/:key/pause pauses, and POST /destinations/:key/resume sends again';
/** Names for it that clients try, by their letters. */
const PAUSE_WORDS: ReadonlySet<string> = new Set(['pause', 'paused', 'ispaused', 'resume', 'resumed', 'until']);

/** Names of limits in other systems, by their letters. */
const LIMIT_WORDS: ReadonlyMap<string, string> = new Map([
  ...['rps', 'qps', 'tps', 'ratelimit', 'persecond', 'requestspersecond', 'maxrate', 'throughput'].map((word) => [word, 'rate'] as const),
  ...['concurrency', 'parallelism', 'maxinflight', 'inflight', 'maxparallel', 'workers'].map((word) => [word, 'max_concurrency'] as const),
]);

/** A field that has nothing is null: null is the same as left out. */
const limitsSchema = Joi.object<WireLimits>({
  max_concurrency: Joi.number().integer().min(1).max(100_000).empty(null),
  rate: Joi.number().min(0.001).max(1_000_000).empty(null),
  burst: Joi.number().integer().min(1).max(100_000).empty(null),
  reason: Joi.any().empty(null).custom((value: unknown, helpers) => (isReason(value) ? value : helpers.message({ custom: `reason ${REASON_RULE}` }))),
  paused: Joi.any().forbidden().messages({ 'any.unknown': `paused ${PAUSED_IS_ELSEWHERE}` }),
})
  .with('burst', 'rate')
  .messages({ 'object.with': 'burst needs a rate' })
  .required()
  .label('the body');
const FIELDS = ['max_concurrency', 'rate', 'burst', 'reason'];

/**
 * @returns the limits, undefined when none is set, and the reason in the body
 * @throws RequestError invalid_request with the first 20 violations
 */
export function parseLimits(input: unknown): { readonly limits: FlowLimits | undefined; readonly reason: string | undefined } {
  checkJsonDepth(input, { name: 'the body', code: 'invalid_request' });
  const prototypeKeys = checkKeys(input, { what: 'the body', path: '', maxKeys: MAX_KEYS, code: 'invalid_request' });
  // With convert: false, "3" is no number: nothing is repaired silently.
  const checked = limitsSchema.validate(input, { abortEarly: false, convert: false, errors: { wrap: { label: false } } });
  const violations = [...(checked.error?.details ?? []).map(violationOf), ...prototypeKeys];
  if (checked.error !== undefined || violations.length > 0) {
    const details = shortViolations(violations);
    throw new RequestError('invalid_request', details.map(({ message }) => message).join('; '), details);
  }
  const { max_concurrency: maxConcurrency, rate: ratePerSecond, burst, reason } = checked.value;
  const limits = {
    ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
    ...(burst === undefined ? {} : { burst }),
  };
  return { limits: Object.keys(limits).length === 0 ? undefined : limits, reason };
}

function violationOf({ type, path, message, context }: Joi.ValidationErrorItem): WireViolation {
  if (type === 'object.with') return { field: 'burst', message };
  const field = path.join('.');
  if (type === 'number.base') return { field, message: message + hintForNumber(context?.['value'], complaintsOf(limitsSchema.extract(field))) };
  if (type !== 'object.unknown') return { field, message };
  if (PAUSE_WORDS.has(lettersOf(field))) return { field, message: `${field} ${PAUSED_IS_ELSEWHERE}` };
  const word = LIMIT_WORDS.get(lettersOf(field));
  return { field, message: message + (suggestionOf(word === undefined ? nearestNames(field, FIELDS) : [word]) || `; known: ${FIELDS.join(', ')}`) };
}

/**
 * When a pause is over by itself: an instant (`2026-11-28T12:00:00Z`), or a length from now (`+30m`).
 * @param now Redis' clock, milliseconds since the epoch
 * @param value undefined and null: it has no end
 * @returns milliseconds since the epoch; undefined when it has none
 * @throws RequestError invalid_request
 */
export function parseUntil(value: unknown, now: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  const until = typeof value === 'string' ? (lengthMs(value) ?? parseInstant(value)) : undefined;
  if (until === undefined) throw refusal('until', 'must be a time such as 2026-11-28T12:00:00Z, or a length from now such as +30m or +2h');
  const at = typeof value === 'string' && value.startsWith('+') ? now + until : until;
  // Redis checks it once more, as time goes by. What is refused here costs no entry of the audit.
  if (at <= now) throw untilHasPassed();
  if (at > LATEST) throw refusal('until', 'must not be later than 9999-12-31T23:59:59.999Z');
  return at;
}

/** `+90s` -> 90_000 @returns undefined for another text */
function lengthMs(text: string): number | undefined {
  const [, number, unit = ''] = /^\+([1-9]\d{0,8})([smhd])$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (UNIT_MS[unit] ?? NaN);
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** A later time has no form in RFC 3339. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export function untilHasPassed(): RequestError {
  return refusal('until', 'must be in the future');
}

function refusal(field: string, complaint: string): RequestError {
  const message = `${field} ${complaint}`;
  return new RequestError('invalid_request', message, [{ field, message }]);
}
