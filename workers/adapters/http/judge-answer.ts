import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import type { DeliveryResult } from '../../../shared/domain/ports.js';
import type { AnswerHeaders, Exchange } from './exchange.js';
import { isSuccess } from './exchange.js';
import { parseHttpDate } from './http-date.js';
import { oneLine } from './one-line.js';
import { parseRetryAfter } from './retry-after-header.js';

type Answer = Extract<Exchange, { kind: 'answered' }>;

/**
 * The meaning of an answer. 2xx is delivered, whatever its body says.
 *
 * @param nowMs  milliseconds since the epoch by our clock, for a Retry-After that is a date
 */
export function judgeAnswer(answer: Answer, nowMs: number): DeliveryResult {
  const { status, headers } = answer;
  if (isSuccess(status)) return { kind: 'delivered', receipt: { httpStatus: status } };

  const code = codeOfStatus(status);
  const retryAfterMs = code === 'http_busy' ? askedWaitMs(headers, nowMs) : undefined;
  return {
    kind: 'failed',
    code,
    detail: describeAnswer(answer),
    httpStatus: status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function codeOfStatus(status: number): DeliveryErrorCode {
  if (status === 429 || status === 503) return 'http_busy';
  switch (Math.floor(status / 100)) {
    case 3: return 'http_redirect';
    case 4: return 'http_client_error';
    case 5: return 'http_server_error';
    default: return 'http_unexpected_status';
  }
}

/**
 * A date is measured from the Date of the same answer, if there is one: the receiver's clock may be wrong, and then both
 * are. Of several Retry-After the first counts that can be read.
 */
function askedWaitMs(headers: AnswerHeaders, nowMs: number): number | undefined {
  const [date = ''] = valuesOf(headers['date']);
  const receiverNowMs = parseHttpDate(date, nowMs) ?? nowMs;
  for (const value of valuesOf(headers['retry-after'])) {
    const waitMs = parseRetryAfter(value, receiverNowMs);
    if (waitMs !== undefined) return waitMs;
  }
  return undefined;
}

function valuesOf(header: AnswerHeaders[string]): readonly string[] {
  return header === undefined ? [] : [header].flat();
}

/** `HTTP 500: database is down`: the status, and up to 200 characters of a body that is text. */
function describeAnswer({ status, headers, bodyStart }: Answer): string {
  const head = `HTTP ${status}`;
  if (bodyStart.length === 0 || !isText(headers)) return head;
  // `stream`: the last character may have been cut in two, and is then left out.
  const text = oneLine(new TextDecoder().decode(bodyStart, { stream: true }), 200);
  return text === '' ? head : `${head}: ${text}`;
}

function isText(headers: AnswerHeaders): boolean {
  const [encoding = 'identity'] = valuesOf(headers['content-encoding']);
  if (encoding !== 'identity') return false;
  const [type] = valuesOf(headers['content-type']);
  return type === undefined || /^text\/|[/+](?:json|xml)\b|\burlencoded\b/i.test(type);
}
