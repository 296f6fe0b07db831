import type { ErrorRequestHandler, Response } from 'express';
import { RequestError, type RequestErrorCode } from '../../shared/domain/errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';

/** The one place where a code becomes a status. */
const statusOf = {
  invalid_json: 400,
  invalid_task: 400,
  invalid_request: 400,
  task_not_found: 404,
  not_found: 404,
  method_not_allowed: 405,
  action_refused: 405,
  conflict: 409,
  parked: 409,
  being_sent: 409,
  finished: 409,
  too_large: 413,
  unsupported_media_type: 415,
  internal: 500,
  task_unreadable: 503,
  redis_unavailable: 503,
  redis_full: 503,
} as const satisfies Record<RequestErrorCode, number>;

const RETRY_AFTER_SECONDS = { redis_unavailable: 1, redis_full: 5 } as const satisfies Partial<Record<RequestErrorCode, number>>;

/** The form that clients of the first version know, for every bug. */
const BUG_BODY = { error: 'failed to schedule task', code: 'internal' };

/** Answers a refusal: `{"error","code","details"}`. */
export function sendError(response: Response, error: RequestError): void {
  const { code, message, details } = error;
  if (code === 'redis_unavailable' || code === 'redis_full') response.set('Retry-After', String(RETRY_AFTER_SECONDS[code]));
  response.status(statusOf[code]).json(code === 'internal' ? BUG_BODY : { error: message, code, details });
}

/** Last middleware: whatever a route threw. */
export function errorResponse(logger: Logger): ErrorRequestHandler {
  // Express recognises an error handler by its four parameters.
  return (thrown: unknown, request, response, next) => {
    const error = asRequestError(thrown);
    if (error.code === 'internal') {
      logger.error('bug: a request failed', { method: request.method, path: request.path, error: printError(thrown), stack: thrown instanceof Error ? thrown.stack : undefined });
    }
    if (response.headersSent) {
      next(thrown);
      return;
    }
    sendError(response, error);
  };
}

function asRequestError(thrown: unknown): RequestError {
  if (thrown instanceof RequestError) return thrown;
  // Express' own: a path that cannot be decoded (%zz).
  if (thrown instanceof URIError) return new RequestError('invalid_request', 'the path is not valid percent-encoding');
  return new RequestError('internal', 'a bug of ours', undefined, { cause: thrown });
}
