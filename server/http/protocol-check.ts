import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';

/** Browsers, clients and proxies send fewer than 50. Node drops those beyond 1,000 in silence. */
export const MAX_HEADER_LINES = 200;

/**
 * Refuses what Node's parser lets pass, although no client means it.
 * @throws RequestError invalid_request, headers_too_large
 */
export function checkProtocol({ httpVersionMajor, httpVersionMinor, rawHeaders, headers }: IncomingMessage): void {
  if (httpVersionMajor !== 1) throw new RequestError('invalid_request', 'only HTTP/1.1 and HTTP/1.0 are spoken here');
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) throw new RequestError('headers_too_large', `a request must not have more than ${MAX_HEADER_LINES} header lines`);
  // Version 1.0 knows no chunks, so a proxy of that version saw the body end elsewhere (RFC 9112, 6.1).
  if (httpVersionMinor === 0 && headers['transfer-encoding'] !== undefined) throw new RequestError('invalid_request', 'a request of HTTP/1.0 must not have a Transfer-Encoding');
  // `headers` holds only the first Host. A proxy in front may have looked at another one (RFC 9112, 3.2).
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts > 1) throw new RequestError('invalid_request', 'the Host header must not stand there twice');
  if (hosts === 0 && httpVersionMinor !== 0) throw new RequestError('invalid_request', 'the Host header is missing');
}
