import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';
import { traceContextOf, type SubmittedTrace } from '../../shared/domain/trace-context.js';
import type { RequestSpan, SubmissionSpan } from '../../shared/telemetry/tracing/tracing.js';
import { jsonAnswer, type Answer } from '../http/answer.js';
import type { Acceptance } from './submit-task.js';

/** The trace in which a request came, for each task that it brings. A header that is no traceparent is as none: no request is refused for it. */
export function submittedTraceOf({ headers }: Pick<IncomingMessage, 'headers'>, own?: SubmissionSpan): SubmittedTrace | undefined {
  const { traceparent } = headers;
  // Most requests have none.
  if (traceparent === undefined && own === undefined) return undefined;
  const context = traceContextOf(traceparent, headers['tracestate']);
  const span = own?.traceparent;
  return context === undefined && span === undefined ? undefined : { context, span };
}

/** Hands one task over in a span of its own. */
export async function submitTraced(span: RequestSpan, request: IncomingMessage, taskId: string, submit: (trace: SubmittedTrace | undefined) => Promise<Acceptance>): Promise<Answer> {
  const submission = span.beginSubmission();
  let failure: string | undefined;
  try {
    const { status, body } = await submit(submittedTraceOf(request, submission));
    return jsonAnswer(status, body);
  } catch (thrown) {
    failure = thrown instanceof RequestError ? thrown.code : 'internal';
    throw thrown;
  } finally {
    submission.end(taskId, failure);
  }
}
