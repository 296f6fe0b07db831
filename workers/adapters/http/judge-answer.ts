import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import type { DeliveryResult } from '../../../shared/domain/ports.js';
import type { AnswerHeaders, Exchange } from './exchange.js';
import { isSuccess } from './exchange.js';
import { parseHttpDate } from './http-date.js';
import { oneLine } from './one-line.js';
import { parseRetryAfter } from './retry-after-header.js';

/** More parts of one header than these are not looked at: there may be thousands of commas. */
const mostParts = 16;

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
 * are. Each header should come once. Of several values the first counts that can be read, as RFC 9111 (4.2.1) advises for
 * Expires.
 */
function askedWaitMs(headers: AnswerHeaders, nowMs: number): number | undefined {
  const receiverNowMs = firstReadable(headers['date'], (value) => parseHttpDate(value, nowMs)) ?? nowMs;
  return firstReadable(headers['retry-after'], (value) => parseRetryAfter(value, receiverNowMs));
}

/**
 * A proxy may join the values of several lines by commas (RFC 9110, 5.3), and a date has one of its own: so each part is
 * tried alone and together with the next one.
 */
function firstReadable(header: AnswerHeaders[string], read: (value: string) => number | undefined): number | undefined {
  for (const line of valuesOf(header)) {
    // A fold within a value has left several spaces.
    const parts = line.replace(/[ \t]+/g, ' ').split(',', mostParts);
    for (const [at, part] of parts.entries()) {
      const value = read(part.trim()) ?? read(`${part},${parts[at + 1] ?? ''}`.trim());
      if (value !== undefined) return value;
    }
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
