import type { IncomingMessage } from 'node:http';
import { traceContextOf, type SubmittedTrace } from '../../shared/domain/trace-context.js';

/** The trace in which a request came, for each task that it brings. A header that is no traceparent is as none: no request is refused for it. */
export function submittedTraceOf({ headers }: Pick<IncomingMessage, 'headers'>): SubmittedTrace | undefined {
  const { traceparent } = headers;
  // Most requests have none.
  if (traceparent === undefined) return undefined;
  const context = traceContextOf(traceparent, headers['tracestate']);
  return context === undefined ? undefined : { context, span: undefined };
}
