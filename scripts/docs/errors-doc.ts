import { answerToError } from '../../server/http/error-response.js';
import { deliveryError, deliveryErrors, RequestError, type Blame, type DeliveryErrorCode, type FailureOf } from '../../shared/domain/errors.js';
import { requestErrors, type RequestErrorCode } from '../../shared/domain/request-errors.js';
import { NOTICE, table } from './page-parts.js';

const blames = {
  receiver: 'the receiver',
  broker: 'the Kafka cluster',
  network: 'the network',
  task: 'the task',
  policy: 'a policy',
  redis: 'Redis',
  us: 'this service',
} as const satisfies Record<Blame, string>;

const failuresOf = { host: 'the host', endpoint: 'the endpoint', task: 'the task', none: '-' } as const satisfies Record<FailureOf, string>;

export function errorsDoc(): string {
  const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
  const deliveryRows = (Object.keys(deliveryErrors) as DeliveryErrorCode[]).map((code) => {
    const { blame, usesAttempt, canImprove, failureOf, meaning } = deliveryError(code);
    return [`\`${code}\``, blames[blame], yesNo(usesAttempt), yesNo(canImprove), failuresOf[failureOf], meaning];
  });
  const requestRows = (Object.keys(requestErrors) as RequestErrorCode[]).map((code) => {
    const { status, headers } = answerToError(new RequestError(code, ''));
    return [`\`${code}\``, String(status), String(headers['Retry-After'] ?? '-'), requestErrors[code]];
  });
  return `${[
    '# Error codes',
    NOTICE,
    'Source: `shared/domain/errors.ts`, `shared/domain/request-errors.ts` and `server/http/error-response.ts`. Decide by codes, never by texts: texts may change.',
    '## Why a send failed',
    [
      'Seen as `error_code` in the timeline of `GET /tasks/:id`, as `code` in the log line of an attempt, and at the head of the header',
      '`x-retry-error` of a dead letter.',
    ].join('\n'),
    [
      '- *Uses an attempt*: no means that it was not the receiver\'s doing. The task goes back and keeps its attempts.',
      '- *Can improve*: no means that the next attempt would fail in the same way. The remaining retries are skipped: the task goes to',
      '  its dead destination at once, with the reason `permanent_error`.',
      '- *Failure of*: whose failure it is. A failure of the *endpoint* (url without query, topic, or flow_key) counts for the circuit of',
      '  the endpoint, one of the *host* (origin, cluster) for that of the host, unless it can never improve. One of the *task* may concern',
      '  this task alone, and opens no circuit. One with *-* is ours.',
    ].join('\n'),
    table(['code', 'blame', 'uses an attempt', 'can improve', 'failure of', 'meaning'], deliveryRows),
    '## Why a request was refused',
    'Seen as `code` in the body of an answer: `{"error":"<text for people>","code":"<code>","details":[{"field","message"}]}`.',
    table(['code', 'status', 'Retry-After (s)', 'meaning'], requestRows),
  ].join('\n\n')}\n`;
}
