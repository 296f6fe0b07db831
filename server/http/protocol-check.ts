import type { IncomingMessage, ServerResponse } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';

/** Browsers, clients and proxies send fewer than 50. Node drops those beyond 1,000 in silence. */
export const MAX_HEADER_LINES = 200;

/**
 * Refuses what Node's parser lets pass, although no client means it. Where the request ends is not certain then, so the
 * answer is the last one of its connection.
 * @throws RequestError invalid_request, headers_too_large
 */
export function checkProtocol(request: IncomingMessage, response: ServerResponse): void {
  const refusal = faultOf(request);
  if (refusal === undefined) return;
  response.setHeader('Connection', 'close');
  throw refusal;
}

function faultOf({ httpVersionMajor, httpVersionMinor, rawHeaders, headers }: IncomingMessage): RequestError | undefined {
  if (httpVersionMajor !== 1) return new RequestError('invalid_request', 'only HTTP/1.1 and HTTP/1.0 are spoken here');
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) return new RequestError('headers_too_large', `a request must not have more than ${MAX_HEADER_LINES} header lines`);
  // `headers` holds only the first Host. A proxy in front may have looked at another one (RFC 9112, 3.2).
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts > 1) return new RequestError('invalid_request', 'the Host header must not stand there twice');
  if (hosts === 0 && httpVersionMinor !== 0) return new RequestError('invalid_request', 'the Host header is missing');
  // RFC 9112, 6.1: this version knows no chunks, so a proxy in front may have seen another body.
  if (httpVersionMinor === 0 && headers['transfer-encoding'] !== undefined) return new RequestError('invalid_request', 'HTTP/1.0 knows no Transfer-Encoding');
  return undefined;
}
