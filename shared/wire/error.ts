import type { RequestErrorCode } from '../domain/request-errors.js';

/** The body of every answer that is not 2xx. */
export interface WireError {
  /** For people: it may change without notice. */
  readonly error: string;
  /** Decide by it. Later versions have more of them. */
  readonly code: RequestErrorCode;
  /** The `X-Request-Id` of the answer: log lines about the request have it too. */
  readonly request_id: string;
  /** The violations, where there are some, 20 of them at most: `{"field":"destination.url","message":"destination.url is required"}`. */
  readonly details?: readonly WireViolation[];
}

export interface WireViolation {
  /** Path of the field, its parts divided by dots; empty for the body itself. A long one is cut, and ends in `...`. */
  readonly field: string;
  readonly message: string;
  /** Where the fault is in the text of the field, characters (code points) from 0; of queries and filters alone. */
  readonly position?: number;
  /** Of `count_differs`: how many tasks match. */
  readonly matched?: number;
}
