import type { IncomingHttpHeaders } from 'node:http';

import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import type { DeliveryResult } from '../../../shared/domain/ports.js';
import type { Exchange } from './exchange.js';
import { isSuccess } from './exchange.js';
import { oneLine } from './one-line.js';
import { parseRetryAfter } from './retry-after-header.js';

type Answer = Extract<Exchange, { kind: 'answered' }>;

/**
 * The meaning of a complete answer. 2xx is delivered, whatever its body says.
 *
 * @param nowMs  milliseconds since the epoch, for a Retry-After that is a date
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

function askedWaitMs(headers: IncomingHttpHeaders, nowMs: number): number | undefined {
  // A header that is sent twice is an array at run time. Node's type describes only Node's own parser.
  const value: unknown = headers['retry-after'];
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' ? parseRetryAfter(first, nowMs) : undefined;
}

/** `HTTP 500: database is down`: the status, and up to 200 characters of a body that is text. */
function describeAnswer({ status, headers, bodyStart }: Answer): string {
  const head = `HTTP ${status}`;
  if (bodyStart.length === 0 || !isText(headers)) return head;
  // `stream`: the last character may have been cut in two, and is then left out.
  const text = oneLine(new TextDecoder().decode(bodyStart, { stream: true }), 200);
  return text === '' ? head : `${head}: ${text}`;
}

function isText(headers: IncomingHttpHeaders): boolean {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') return false;
  const type = headers['content-type'];
  return type === undefined || /^text\/|[/+](?:json|xml)\b|\burlencoded\b/i.test(type);
}
