import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';
import type { WireError } from '../../shared/wire/error.js';
import { commonHeaders } from './answer.js';
import { answerToError } from './error-response.js';

/** An error by which Node says that bytes are no request. `code` is undefined, or the system's, for a broken connection. */
interface ParserError extends Error {
  readonly code?: string;
  /** What the parser has found, such as `Invalid header value char`. */
  readonly reason?: string;
}

/**
 * The refusal of bytes that never become a request. Node's own answer to them has no body.
 * @returns undefined when the connection is broken, and no answer can reach the client
 */
export function refusalOfBytes({ code = '', reason }: ParserError, maxHeaderBytes: number): RequestError | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestError('request_timed_out', 'the request has not come whole in time', undefined, { notes: { limit: 'HTTP_HEADERS_TIMEOUT, HTTP_REQUEST_TIMEOUT' } });
  if (code === 'HPE_HEADER_OVERFLOW') return new RequestError('headers_too_large', `the headers of a request must not be larger than ${maxHeaderBytes} bytes`, undefined, { notes: { limit: 'HTTP_MAX_HEADER_BYTES' } });
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return new RequestError('too_large', 'the chunk extensions of a body must not be larger than 16384 bytes', undefined, { notes: { limit: 'chunk extensions of a body' } });
  if (!code.startsWith('HPE_')) return undefined;
  return new RequestError('invalid_request', `this is not valid HTTP/1.1${reason === undefined ? '' : `: ${reason}`}`);
}

/** A refusal as bytes, for a client that has no request to answer. The connection ends behind it. */
export function printRefusal(refusal: RequestError): string {
  const requestId = randomUUID();
  const { status, headers, body } = answerToError(refusal);
  const whole: WireError = { ...body, request_id: requestId };
  const text = JSON.stringify(whole);
  const lines = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    ...commonHeaders(requestId),
    ...headers,
    Date: new Date().toUTCString(),
    Connection: 'close',
  };
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...Object.entries(lines).map(([name, value]) => `${name}: ${value}`)];
  return `${head.join('\r\n')}\r\n\r\n${text}`;
}
