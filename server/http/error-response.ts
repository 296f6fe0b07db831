import { RequestError } from '../../shared/domain/errors.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';
import type { WireError } from '../../shared/wire/error.js';
import { jsonAnswer, sendAnswer, type Answer, type AnswerHeaders } from './answer.js';
import type { RequestContext } from './request-context.js';
import { MAX_ERROR_CHARACTERS, shortText, shortViolations } from './short-error.js';

/** Only this table makes a status of a code. */
const statusOf = {
  invalid_json: 400,
  invalid_task: 400,
  invalid_request: 400,
  invalid_query: 400,
  invalid_cursor: 400,
  secrets_not_configured: 400,
  unauthenticated: 401,
  forbidden: 403,
  origin_refused: 403,
  task_not_found: 404,
  bulk_action_not_found: 404,
  key_not_found: 404,
  not_found: 404,
  method_not_allowed: 405,
  action_refused: 405,
  request_timed_out: 408,
  conflict: 409,
  count_differs: 409,
  parked: 409,
  being_sent: 409,
  finished: 409,
  last_admin: 409,
  too_large: 413,
  unsupported_media_type: 415,
  unknown_host: 421,
  rate_limited: 429,
  quota_exceeded: 429,
  headers_too_large: 431,
  internal: 500,
  unsupported_transfer_coding: 501,
  overloaded: 503,
  no_worker: 503,
  task_unreadable: 503,
  redis_unavailable: 503,
  redis_full: 503,
  redis_refused: 503,
} as const satisfies Record<RequestErrorCode, number>;

/** A full or refusing Redis takes nothing until an operator acts. */
const RETRY_AFTER_SECONDS: Partial<Record<RequestErrorCode, number>> = { rate_limited: 1, quota_exceeded: 5, overloaded: 1, no_worker: 5, redis_unavailable: 1, redis_full: 5, redis_refused: 5 };

/** A bug in a submission is answered in the form that clients of the first version know. */
const BUG_BODY = { error: 'failed to schedule task', code: 'internal' } as const;
const OTHER_BUG_TEXT = 'an error of ours: the log of the API names it';

const submissionLabels: ReadonlySet<string> = new Set(['/tasks', '/tasks/batch']);

export function statusOfError(code: RequestErrorCode): number {
  return statusOf[code];
}

/** The answer to a refusal: `{"error","code","details"}`, and its headers. `sendError` adds the request id. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Omit<WireError, 'request_id'>;
}

export function answerToError({ code, message, details, retryAfterS }: RequestError): ErrorAnswer {
  const seconds = retryAfterS ?? RETRY_AFTER_SECONDS[code];
  const headers: AnswerHeaders = { ...(seconds === undefined ? {} : { 'Retry-After': String(seconds) }), ...(code === 'unauthenticated' ? { 'WWW-Authenticate': 'Bearer' } : {}) };
  return { status: statusOf[code], headers, body: code === 'internal' ? BUG_BODY : { error: shortText(message, MAX_ERROR_CHARACTERS), code, ...(details === undefined ? {} : { details: shortViolations(details) }) } };
}

/**
 * Answers any error. An answer that has begun already is cut off, so that its reader does not take it for complete.
 * @param pageInPlaceOf what is answered in place of its JSON, if anything is
 * @returns what the request was refused with
 */
export function sendError(context: RequestContext, thrown: unknown, logger: Logger, pageInPlaceOf?: (refusal: RequestError, context: RequestContext) => Answer | undefined): RequestError {
  const error = refusalOf(thrown, context, logger);
  const { response, requestId, match, answerHeaders } = context;
  if (response.headersSent) {
    response.destroy();
    return error;
  }
  const page = pageInPlaceOf?.(error, context);
  if (page !== undefined) {
    sendAnswer(response, page, requestId, answerHeaders);
    return error;
  }
  const { status, headers, body } = answerToError(error);
  // RFC 9110, 15.5.6: every 405 names the methods that are taken.
  const allow: AnswerHeaders = status === 405 ? { Allow: match.allow } : {};
  const whole: WireError = { ...body, ...(error.code === 'internal' && !isSubmission(context) ? { error: OTHER_BUG_TEXT } : {}), request_id: requestId };
  sendAnswer(response, jsonAnswer(status, whole, { ...headers, ...allow }), requestId, answerHeaders);
  return error;
}

/** A refusal is returned as it is. Any other error is a bug of ours, and is logged. */
export function refusalOf(thrown: unknown, { logFields }: RequestContext, logger: Logger): RequestError {
  const error = asRequestError(thrown);
  if (error.code === 'internal') {
    logger.error('bug: a request failed', { ...logFields, error: printError(thrown), stack: thrown instanceof Error ? thrown.stack : undefined });
  }
  return error;
}

/** Nothing was to be scheduled by a request that reads, or that changes what is there. */
function isSubmission({ request, match }: RequestContext): boolean {
  return request.method === 'POST' && submissionLabels.has(match.served.metricLabel);
}

function asRequestError(thrown: unknown): RequestError {
  return thrown instanceof RequestError ? thrown : new RequestError('internal', 'a bug of ours', undefined, { cause: thrown });
}
