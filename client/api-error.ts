import type { Schemas } from './routes.js';

/** The service has answered, and refused. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    /** `task_not_found`, `conflict`, ...: decide by it. `unknown` when the answer is none of this service. */
    readonly code: string,
    message: string,
    /** `X-Request-Id` of the answer: the log of the service has it. */
    readonly requestId: string | null,
    readonly details: readonly Schemas['Violation'][],
    /** What the answer asks to wait before the same request, ms. */
    readonly retryAfterMs: number | undefined,
    /** The body as it came. */
    readonly body: unknown,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** No answer came: the connection was refused or broke, or the time limit of a try was reached. What was asked may have been done. */
export class NoAnswerError extends Error {
  constructor(
    message: string,
    /** No connection was made, so nothing can have been done. */
    readonly isUnsent: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'NoAnswerError';
  }
}

/** A wait has reached its time limit. */
export class WaitTimeoutError extends Error {
  constructor(
    message: string,
    /** What was seen last; undefined: nothing was. */
    readonly last: unknown,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'WaitTimeoutError';
  }
}
